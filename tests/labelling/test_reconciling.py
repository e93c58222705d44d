"""Making store, folders and train.pickle agree after a crash, or after someone moved files by hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.labelling.reconciling import reconcile
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, files_in, names_in, published, snapshot
from tests.labelling.saying import named_photo
from tests.labelling.squares import picture, upload


@pytest.fixture
def settled(workspace: Workspace) -> Workspace:
    """alice is named, and a photo waits."""
    named_photo(workspace, "alice")
    upload(workspace, "bob", take=1, name="waiting.png")
    return workspace


def test_where_everything_agrees_nothing_is_touched(settled: Workspace, home: Path) -> None:
    before = snapshot(home)
    repairs = reconcile(settled)
    assert (repairs.interrupted, repairs.moved, repairs.lost) == (False, 0, [])
    assert snapshot(home) == before


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("training/alice_01.png", "training/renamed.png"),
        ("training/alice_01.png", "uploads/alice_01.png"),
        ("training/alice_01.png", "training/sub/folder/alice_01.png"),
        ("uploads/waiting.png", "training/waiting.png"),
    ],
)
def test_a_photo_moved_by_hand_goes_back(settled: Workspace, home: Path, source: str, target: str) -> None:
    root = home / "datasets"
    (root / target).parent.mkdir(parents=True, exist_ok=True)
    (root / source).rename(root / target)
    assert reconcile(settled).moved == 1
    assert_consistent(settled)


def test_a_photo_that_was_cut_short_is_told_and_left(settled: Workspace, home: Path) -> None:
    path = home / "datasets/training/alice_01.png"
    path.write_bytes(path.read_bytes()[:100])
    assert reconcile(settled).lost == ["datasets/training/alice_01.png"]
    assert len(path.read_bytes()) == 100


def test_a_photo_that_is_gone_is_named_and_its_face_stays_known(settled: Workspace, home: Path) -> None:
    (home / "datasets/training/alice_01.png").unlink()
    repairs = reconcile(settled)
    assert (repairs.moved, repairs.lost) == (0, ["datasets/training/alice_01.png"])
    assert names_in(home) == ["alice"]


def test_someone_elses_file_is_never_taken_for_a_photo(settled: Workspace, home: Path) -> None:
    (home / "datasets/training/alice_01.png").unlink()
    foreign = home / "datasets/training/other.png"
    foreign.write_bytes(picture("alice", take=77))
    assert reconcile(settled).moved == 0
    assert foreign.exists()


def test_train_pickle_is_written_anew_when_it_is_gone(settled: Workspace, home: Path) -> None:
    path = home / "instance/train.pickle"
    before = published(home)
    path.unlink()
    assert reconcile(settled).interrupted
    assert published(home) == before


def test_a_start_reconciles(settled: Workspace, home: Path, open_workspace: Callable[[], Workspace]) -> None:
    (home / "instance/train.pickle").write_bytes(b"junk")
    (home / "datasets/training/alice_01.png").rename(home / "datasets/uploads/x.png")
    assert_consistent(open_workspace())


def test_a_journal_that_was_cut_off_while_written_is_no_obstacle(
    settled: Workspace, home: Path, open_workspace: Callable[[], Workspace]
) -> None:
    before = files_in(home)
    (home / "instance/journal-999.jsonl").write_text('{"from": "/x", "to')
    restarted = open_workspace()
    assert files_in(home) == before
    assert_consistent(restarted)


def test_uploads_that_never_arrived_are_swept_away_and_arriving_ones_are_not(settled: Workspace, home: Path) -> None:
    stale, arriving = (home / f"datasets/uploads/.incoming-{number}" for number in range(2))
    for path in (stale, arriving):
        path.write_bytes(b"half a photo")
    os.utime(stale, (0, 0))
    reconcile(settled)
    assert not stale.exists()
    assert arriving.exists()
