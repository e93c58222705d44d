"""Uploads of many photos: their faces are found in the background, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.jobs import Queue
from app.labelling import pictures, progress
from app.labelling.photos import request_encoding, store_photos
from app.labelling.workspace import Workspace
from app.recognition import bulk
from tests.labelling.consistency import assert_consistent, rows
from tests.labelling.squares import SquaresEngine, picture
from tests.labelling.workers import AHEAD, die

MANY = 2 * AHEAD


def send(workspace: Workspace, number: int) -> tuple[list[int], int]:
    """Take in photos of Alice and Bob without looking at them: their ids, and the job that will."""
    data = [picture("alice", "bob", take=take) for take in range(number)]
    ids, _refusals = store_photos(workspace, [(f"{take:03}.png", lambda one=one: one) for take, one in enumerate(data)])
    return ids, request_encoding(workspace, ids)


def run(workspace: Workspace, job_id: int, watch: Any = None) -> dict[str, Any]:
    Queue(workspace).run(job_id, watch)
    return progress.read_job(workspace, job_id)


def boxes(home: Path) -> list[dict[str, Any]]:
    return rows(home, "SELECT photo_id, top, left, encoding FROM faces ORDER BY id")


def encoded(home: Path) -> int:
    (found,) = rows(home, "SELECT count(*) AS photos FROM photos WHERE encoded")
    return int(found["photos"])


class TestAnUploadOfMany:
    def test_finds_the_faces_of_each(self, workspace: Workspace, home: Path, engine: SquaresEngine) -> None:
        ids, job_id = send(workspace, MANY)
        assert not boxes(home)
        job = run(workspace, job_id)
        assert (job["state"], job["done"], job["total"]) == ("done", MANY, MANY)
        assert job["result"] == {"photos": MANY, "skipped": []}
        assert [face["photo_id"] for face in boxes(home)] == [photo for photo in ids for _face in "ab"]
        assert engine.looked == MANY
        assert_consistent(workspace)

    def test_makes_the_pictures_that_pages_show(self, workspace: Workspace, home: Path) -> None:
        ids, job_id = send(workspace, 5)
        run(workspace, job_id)
        made = {path.name for path in (home / "instance/pictures").iterdir()}
        faces = rows(home, "SELECT id FROM faces")
        assert made == {*(f"photo-{id_}.jpg" for id_ in ids), *(f"face-{face['id']}.jpg" for face in faces)}
        # And each is what would have been made on demand.
        before = {name: (home / "instance/pictures" / name).read_bytes() for name in made}
        for path in (home / "instance/pictures").iterdir():
            path.unlink()
        on_demand = [pictures.thumb(workspace, face["id"]) for face in faces]
        assert [path.read_bytes() for path in on_demand] == [before[path.name] for path in on_demand]

    def test_reports_chunk_by_chunk(self, workspace: Workspace) -> None:
        _ids, job_id = send(workspace, 2 * bulk.CHUNK + 1)
        seen: list[int] = []
        run(workspace, job_id, lambda done, _total, _message: seen.append(done))
        assert seen == [0, bulk.CHUNK, 2 * bulk.CHUNK, 2 * bulk.CHUNK + 1]

    @pytest.mark.parametrize("processors", [1, 3])
    def test_finds_the_same_whatever_the_number_of_processors(
        self, workspace: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch, processors: int
    ) -> None:
        monkeypatch.setattr(bulk, "processors", lambda: processors)
        _ids, job_id = send(workspace, MANY)
        run(workspace, job_id)
        places = [(face["photo_id"], face["top"], face["left"]) for face in boxes(home)]
        assert places == sorted(places)
        assert len(places) == 2 * MANY

    def test_names_the_photos_that_have_gone(self, workspace: Workspace, home: Path) -> None:
        ids, job_id = send(workspace, 6)
        (home / "datasets/uploads/002.png").unlink()
        (home / "datasets/uploads/004.png").write_bytes(b"another thing")
        job = run(workspace, job_id)
        assert job["state"] == "done"
        assert job["result"]["photos"] == 4
        assert [name for name, _why in job["result"]["skipped"]] == [f"photo {ids[2]}", f"photo {ids[4]}"]
        assert {face["photo_id"] for face in boxes(home)} == {ids[0], ids[1], ids[3], ids[5]}

    def test_that_is_killed_does_not_look_again_at_what_is_stored(
        self, workspace: Workspace, home: Path, open_workspace: Callable[[], Workspace]
    ) -> None:
        _ids, job_id = send(workspace, MANY)
        die(home, "further photos looked at", "run job", job_id)
        stored = encoded(home)
        assert bulk.CHUNK <= stored <= AHEAD
        restarted = open_workspace()
        assert run(restarted, job_id)["state"] == "done"
        assert restarted.engine.looked == MANY - stored
        assert len(boxes(home)) == 2 * MANY
        assert_consistent(restarted)

    def test_that_fails_keeps_what_was_found_and_says_so(
        self, workspace: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bulk, "processors", lambda: 1)

        class Broken(SquaresEngine):
            def look(self, photos: Any) -> Any:
                if self.looked == bulk.CHUNK:
                    raise RuntimeError("secret inner detail")
                return super().look(photos)

        ids, job_id = send(workspace, 2 * bulk.CHUNK)
        workspace.engine = Broken()
        job = run(workspace, job_id)
        assert job["state"] == "failed"
        assert job["message"] == "It failed unexpectedly. The faces found until then are kept."
        assert encoded(home) == bulk.CHUNK
        # Sending them again goes on.
        workspace.engine = SquaresEngine()
        assert run(workspace, request_encoding(workspace, ids))["state"] == "done"
        assert workspace.engine.looked == bulk.CHUNK
        assert encoded(home) == len(ids)
