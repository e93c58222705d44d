"""A folder from disk: copied, looked at, never touched; and an import that is killed goes on where it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.errors import InvalidInput
from app.jobs import Queue
from app.labelling import progress, undoing
from app.labelling.importing import request_import
from app.labelling.turns import DEADLY as PASSED_OVER
from app.labelling.turns import TURN
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, rows
from tests.labelling.squares import SquaresEngine, picture, upload
from tests.labelling.test_sidecars import xmp_of
from tests.labelling.workers import DEADLY, die, dies


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("card")


def fill(folder: Path, **files: bytes) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def many(folder: Path, number: int) -> None:
    fill(folder, **{f"{take % 3}/{take:03}.png": picture("alice", take=take) for take in range(number)})


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def do(workspace: Workspace, folder: Path) -> dict[str, Any]:
    job_id = request_import(workspace, folder)
    Queue(workspace).run(job_id)
    return progress.read_job(workspace, job_id)


def stored(home: Path) -> int:
    return len(rows(home, "SELECT id FROM photos"))


def test_every_photo_is_copied_and_looked_at(workspace: Workspace, home: Path, folder: Path) -> None:
    many(folder, 5)
    fill(folder, **{"deep/er/group.png": picture("bob", "carol"), "notes.txt": b"milk", ".hid.png": picture("dave")})
    fill(folder, **{".trash/x.png": picture("dave"), "empty.jpg": b""})
    before = contents(folder)
    job = do(workspace, folder)
    assert contents(folder) == before
    assert job["state"] == "done"
    assert job["result"] == {
        "photos": 6,
        "known": 0,
        "skipped": [["empty.jpg", "The file is empty."], ["notes.txt", "The file is not an image."]],
    }
    assert job["message"] == "6 photos imported. 2 files were skipped."
    assert (stored(home), len(rows(home, "SELECT id FROM faces"))) == (6, 7)
    assert {path.name for path in (home / "datasets/uploads").iterdir()} >= {"group.png", "000.png"}
    assert_consistent(workspace)


def test_the_same_photo_is_known_by_its_bytes(
    workspace: Workspace, home: Path, folder: Path, engine: SquaresEngine
) -> None:
    upload(workspace, "alice", take=0, name="sent before.png")
    many(folder, 3)
    fill(folder, twice=picture("alice", take=1))
    job = do(workspace, folder)
    assert (job["result"]["photos"], job["result"]["known"]) == (4, 2)
    assert job["message"] == "4 photos imported, 2 of them known before."
    assert stored(home) == engine.looked == 3
    again = do(workspace, folder)
    assert (again["result"]["photos"], again["result"]["known"]) == (4, 4)
    assert stored(home) == engine.looked == 3


def test_the_same_photo_in_a_later_turn_is_known_too(workspace: Workspace, folder: Path) -> None:
    many(folder, TURN + 3)
    fill(folder, **{"z.png": picture("alice", take=0)})
    assert do(workspace, folder)["result"]["known"] == 1


def test_a_file_larger_than_is_taken_is_not_read(workspace: Workspace, folder: Path) -> None:
    many(folder, 1)
    with (folder / "film.mp4").open("wb") as file:
        file.truncate(3 << 30)
    job = do(workspace, folder)
    assert job["result"]["photos"] == 1
    assert [name for name, _why in job["result"]["skipped"]] == ["film.mp4"]


def test_names_of_any_bytes_are_imported_and_told(workspace: Workspace, folder: Path) -> None:
    for name, data in ((b"caf\xe9.png", picture("alice")), (b"n\xff.txt", b"milk")):
        with open(os.fsencode(folder) + b"/" + name, "wb") as file:
            file.write(data)
    job = do(workspace, folder)
    assert job["result"] == {"photos": 1, "known": 0, "skipped": [["n?.txt", "The file is not an image."]]}


def test_a_folder_without_files_is_refused(workspace: Workspace, home: Path, folder: Path) -> None:
    fill(folder, **{".hidden": b""})
    with pytest.raises(InvalidInput, match="no files"):
        request_import(workspace, folder)
    assert not rows(home, "SELECT id FROM jobs")


def test_a_folder_that_goes_away_ends_it_in_words(workspace: Workspace, folder: Path) -> None:
    many(folder, 2)
    job_id = request_import(workspace, folder)
    moved = folder.rename(folder.with_name("elsewhere"))
    Queue(workspace).run(job_id)
    job = progress.read_job(workspace, job_id)
    assert (job["state"], "is gone" in job["message"]) == ("failed", True)
    assert do(workspace, moved)["result"]["photos"] == 2


def test_asked_for_again_it_goes_on_with_what_has_come_since(workspace: Workspace, folder: Path) -> None:
    many(folder, 2)
    first = request_import(workspace, folder)
    many(folder, 4)
    assert request_import(workspace, folder) == first
    Queue(workspace).run(first)
    assert progress.read_job(workspace, first)["result"]["photos"] == 4
    assert request_import(workspace, folder) != first


@pytest.mark.parametrize("where", ["photo moved", "committed", "further photos looked at"])
def test_killed_it_goes_on_and_nothing_is_done_twice(
    workspace: Workspace, home: Path, folder: Path, open_workspace: Callable[[], Workspace], where: str
) -> None:
    number = 2 * TURN + 5
    many(folder, number)
    die(home, where, "import", folder)
    encoded = len(rows(home, "SELECT id FROM photos WHERE encoded"))
    restarted = open_workspace()
    Queue(restarted).work_off()
    (job,) = progress.newest_jobs(restarted)
    assert (job["state"], job["done"]) == ("done", number)
    assert job["result"] == {"photos": number, "known": 0, "skipped": []}
    assert restarted.engine.looked == number - encoded
    assert (stored(home), len(rows(home, "SELECT id FROM faces"))) == (number, number)
    # What was being copied is swept away at a start an hour later: it might be somebody else's.
    arriving = (home / "datasets/uploads").glob(".incoming-*")
    assert_consistent(restarted, foreign={f"uploads/{path.name}" for path in arriving})


def test_a_photo_that_kills_whoever_looks_at_it_is_passed_over(workspace: Workspace, home: Path, folder: Path) -> None:
    many(folder, 20)
    fill(folder, **{"1/deadly.png": picture(DEADLY)})
    deaths = 0
    while dies(home, "deadly photo looked at", "import", folder):
        deaths += 1
        assert deaths <= progress.MAX_ATTEMPTS + 1
    (job,) = progress.newest_jobs(workspace)
    assert job["state"] == "done"
    assert job["result"] == {"photos": 20, "known": 0, "skipped": [["1/deadly.png", PASSED_OVER]]}
    assert_consistent(workspace)


@pytest.mark.parametrize("found", [True, False])
def test_names_that_lie_beside_the_photos_come_with_them(
    workspace: Workspace, home: Path, folder: Path, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of faces that the detector has missed: their boxes are drawn."""
    fill(folder, **{"a.png": picture("alice", None, "bob"), "b.png": picture("carol")})
    fill(folder, **{"a.png.xmp": xmp_of(("Alice", 0), ("Robert", 2), width=3)})
    if not found:
        monkeypatch.setattr(SquaresEngine, "look", lambda _self, looked: [[] for _ in looked])
    job = do(workspace, folder)
    assert job["message"] == "2 photos imported. 2 faces named by XMP."
    named = rows(home, 'SELECT name FROM people JOIN faces ON person_id = people.id ORDER BY "left"')
    assert [row["name"] for row in named] == ["Alice", "Robert"]
    assert_consistent(workspace)
    undoing.undo(workspace)
    left = rows(home, "SELECT DISTINCT status FROM faces WHERE status != 'removed'")
    assert left == ([{"status": "inbox"}] if found else [])
    assert_consistent(workspace)
