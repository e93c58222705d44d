"""Names that look wrong: told with their evidence, put right or stood by, and not brought up again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import Conflict, NotFound
from app.labelling import decisions, doubts, recognising
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, names_in, rows, snapshot
from tests.labelling.saying import name, named_photo
from tests.labelling.squares import upload


@pytest.fixture
def wrong(workspace: Workspace) -> int:
    """Three faces of ana and two of ben, and one of ana that is named ben: its number."""
    for person, takes in (("ana", 3), ("ben", 2)):
        for take in range(takes):
            named_photo(workspace, person, take)
    return name(workspace, upload(workspace, "ana", take=7), "ben")


def in_doubt(workspace: Workspace) -> list[int]:
    return [doubt["face"]["id"] for doubt in doubts.read_doubts(workspace)]


def test_a_wrong_name_is_told_with_the_evidence_for_and_against(workspace: Workspace, wrong: int) -> None:
    (doubt,) = doubts.read_doubts(workspace)
    assert (doubt["face"]["id"], doubt["label"], doubt["looks_like"]) == (wrong, "ben", "ana")
    assert doubt["face"]["label"] == "ben"
    assert 0.9 < doubt["score"] < 1
    assert {near["thumb"] for near in doubt["others"]} == {f"/faces/{face}/thumb.jpg" for face in (1, 2, 3)}
    assert {near["thumb"] for near in doubt["own"]} == {f"/faces/{face}/thumb.jpg" for face in (4, 5)}
    assert {near["label"] for near in doubt["own"]} == {"ben"}
    assert max(near["distance"] for near in doubt["others"]) < 0.5 < min(near["distance"] for near in doubt["own"])


def test_right_names_are_not_doubted(workspace: Workspace) -> None:
    for person in ("ana", "ben"):
        for take in range(3):
            named_photo(workspace, person, take)
    assert doubts.read_doubts(workspace) == []
    assert doubts.count_doubts(workspace) == 0


def test_who_is_moved_is_in_doubt_no_longer(workspace: Workspace, wrong: int, home: Path) -> None:
    decisions.move(workspace, wrong, "ana")
    assert in_doubt(workspace) == []
    assert names_in(home) == ["ana"] * 3 + ["ben"] * 2 + ["ana"]
    assert_consistent(workspace)


def test_a_vouch_is_kept_silent_about_and_changes_nothing_else(workspace: Workspace, wrong: int, home: Path) -> None:
    before = (home / "instance/train.pickle").read_bytes()
    doubts.vouch(workspace, wrong, "ben")
    assert in_doubt(workspace) == []
    assert doubts.count_doubts(workspace) == 0
    assert (home / "instance/train.pickle").read_bytes() == before
    assert rows(home, "SELECT * FROM vouches") == [{"face_id": wrong, "person_id": 2}]
    (journal,) = rows(home, "SELECT face_id, before, after FROM decisions WHERE kind = 'vouch'")
    assert journal == {"face_id": wrong, "before": "{}", "after": '{"vouched": 2}'}
    assert_consistent(workspace)


def test_another_worker_hears_of_it(workspace: Workspace, wrong: int, open_workspace: Callable[[], Workspace]) -> None:
    other = open_workspace()
    assert in_doubt(other) == [wrong]
    doubts.vouch(workspace, wrong)
    assert in_doubt(other) == []


def test_a_face_with_another_name_is_judged_anew(workspace: Workspace, wrong: int) -> None:
    doubts.vouch(workspace, wrong)
    for take in (0, 1):
        named_photo(workspace, "carl", take)
    decisions.move(workspace, wrong, "carl")
    assert in_doubt(workspace) == [wrong]


def test_a_name_that_a_human_ruled_out_is_not_proposed(workspace: Workspace, wrong: int) -> None:
    decisions.move(workspace, wrong, "ana")
    decisions.move(workspace, wrong, "ben")
    assert in_doubt(workspace) == [], "moved away from ana by hand"


def test_flawed_faces_are_neither_accused_nor_evidence(workspace: Workspace, wrong: int) -> None:
    recognising.set_use(workspace, wrong, "no")
    assert in_doubt(workspace) == []
    recognising.set_use(workspace, wrong, "auto")
    recognising.set_use(workspace, 1, "no")
    (doubt,) = doubts.read_doubts(workspace)
    assert {near["thumb"] for near in doubt["others"]} == {f"/faces/{face}/thumb.jpg" for face in (2, 3)}


def test_everyone_is_compared_once_for_every_state_of_the_store(
    workspace: Workspace, wrong: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    compare = doubts.contradictions
    monkeypatch.setattr(doubts, "contradictions", lambda *args, **more: looked.append(1) or compare(*args, **more))
    for _ in range(3):
        assert doubts.count_doubts(workspace) == len(doubts.read_doubts(workspace)) == 1
    assert len(looked) == 1
    named_photo(workspace, "ana", 8)
    assert doubts.count_doubts(workspace) == 1
    assert len(looked) == 2


def test_a_large_gallery_is_only_compared_when_somebody_asks(
    workspace: Workspace, wrong: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doubts, "_QUICK", 3)
    assert doubts.count_doubts(workspace) is None
    assert in_doubt(workspace) == [wrong]
    assert doubts.count_doubts(workspace) == 1


@pytest.mark.parametrize(("face", "label", "error"), [(99, None, NotFound), (7, None, Conflict), (6, "ana", Conflict)])
def test_a_vouch_that_makes_no_sense_changes_nothing(
    workspace: Workspace, wrong: int, home: Path, face: int, label: str | None, error: type[Exception]
) -> None:
    upload(workspace, "ana", take=9)
    before = snapshot(home)
    with pytest.raises(error):
        doubts.vouch(workspace, face, label)
    assert snapshot(home) == before


def test_vouching_twice_is_vouching_once(workspace: Workspace, wrong: int, home: Path) -> None:
    doubts.vouch(workspace, wrong)
    before = snapshot(home)
    with pytest.raises(Conflict, match="said already"):
        doubts.vouch(workspace, wrong)
    assert snapshot(home) == before
