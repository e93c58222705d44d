"""Jobs on many photos take turns, photos can be added to one at any time, and no photo stops the rest."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.errors import InvalidInput, NotFound
from app.jobs import Queue
from app.labelling import progress, resetting
from app.labelling.photos import Upload, request_encoding, store_photos
from app.labelling.turns import DEADLY as PASSED_OVER
from app.labelling.turns import TURN
from app.labelling.uploading import Batch, take_batch
from app.labelling.workspace import Workspace
from app.store import jobs
from tests.labelling.consistency import assert_consistent, rows
from tests.labelling.squares import SquaresEngine, picture
from tests.labelling.workers import DEADLY, dies


def drawn(takes: Sequence[int], person: str = "alice") -> list[Upload]:
    data = [picture(person, take=take) for take in takes]
    return [(f"{take:03}.png", lambda one=one: one) for take, one in zip(takes, data, strict=True)]


def send(workspace: Workspace, takes: Sequence[int]) -> int:
    """Photos that are to be looked at by a job of their own; its id."""
    ids, _refusals = store_photos(workspace, drawn(takes))
    return request_encoding(workspace, ids)


def add(workspace: Workspace, takes: Sequence[int], job_id: int | None = None) -> Batch:
    return take_batch(workspace, drawn(takes), job_id)


def states(workspace: Workspace, *ids: int) -> list[str]:
    return [progress.read_job(workspace, job_id)["state"] for job_id in ids]


def encoded(home: Path) -> int:
    return len(rows(home, "SELECT id FROM photos WHERE encoded"))


class TestTurns:
    def test_a_few_photos_do_not_wait_for_thousands(self, workspace: Workspace, home: Path) -> None:
        """They are sent while the first turn of the big job is under way."""
        queue = Queue(workspace)
        big = send(workspace, range(3 * TURN))
        small: list[int] = []
        at_its_end: list[int] = []

        one_at_a_time = threading.Lock()

        class Watching(SquaresEngine):
            def look(self, photos: Any) -> Any:
                with one_at_a_time:
                    if not small:
                        small.append(send(workspace, range(1000, 1003)))
                    elif not at_its_end and states(workspace, *small) == ["done"]:
                        at_its_end.append(progress.read_job(workspace, big)["done"])
                return super().look(photos)

        workspace.engine = Watching()
        queue.work_off()
        assert states(workspace, big, *small) == ["done", "done"]
        assert at_its_end == [TURN]
        assert encoded(home) == 3 * TURN + 3

    def test_jobs_go_round(self, workspace: Workspace) -> None:
        ids = [send(workspace, range(1000 * n, 1000 * n + TURN + 1)) for n in range(3)]
        served: list[int] = []
        job_id = progress.next_job(workspace)
        while job_id is not None:
            served.append(job_id)
            Queue(workspace)._take_turn(job_id)
            job_id = progress.next_job(workspace, after=job_id)
        assert served == ids * 2

    def test_a_reset_is_one_turn(self, workspace: Workspace, home: Path) -> None:
        for take in range(2 * TURN):
            path = home / f"datasets/reserve/bob/{take}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(picture("bob", take=take))
        big = send(workspace, range(2000, 2000 + 2 * TURN))
        reset = resetting.request_reset(workspace)
        queue = Queue(workspace)
        queue._take_turn(big)
        queue._take_turn(reset)
        assert states(workspace, big, reset) == ["running", "done"]
        queue.work_off()
        # What the reset has put away is no longer there to be looked at.
        assert progress.read_job(workspace, big)["result"]["photos"] == TURN
        assert_consistent(workspace)

    def test_the_pace_goes_on_from_turn_to_turn(self, workspace: Workspace) -> None:
        job_id = send(workspace, range(2 * TURN + 1))
        queue = Queue(workspace)
        queue._take_turn(job_id)
        first = progress.read_job(workspace, job_id)
        queue._take_turn(job_id)
        second = progress.read_job(workspace, job_id)
        assert [job["done"] for job in (first, second)] == [TURN, 2 * TURN]
        assert "a second" in first["message"]
        with workspace.database.read() as connection:
            job = jobs.get(connection, job_id)
        assert job is not None
        assert job.done_before == 0

    def test_the_time_between_two_consumers_does_not_count(self, workspace: Workspace) -> None:
        job_id = send(workspace, range(2 * TURN))
        Queue(workspace)._take_turn(job_id)
        progress.rest(workspace)
        begun = progress.begin(workspace, job_id)
        assert begun is not None
        assert not begun.killed
        job = progress.read_job(workspace, job_id)
        assert (job["done"], job["eta_s"]) == (TURN, None)


class TestAdding:
    def test_one_upload_is_one_job(self, workspace: Workspace, home: Path) -> None:
        job_id = add(workspace, range(8)).job_id
        assert job_id is not None
        for first in (8, 16):
            assert add(workspace, range(first, first + 8), job_id).job_id == job_id
        Queue(workspace).run(job_id)
        assert rows(home, "SELECT id, done, total FROM jobs") == [{"id": job_id, "done": 24, "total": 24}]
        assert encoded(home) == 24

    def test_at_the_moment_the_job_has_done_what_it_had(self, workspace: Workspace, home: Path) -> None:
        """The last photo is done, and the job not over yet, when more come."""
        job_id = add(workspace, range(8)).job_id
        assert job_id is not None

        def watch(done: int, total: int, _message: str) -> None:
            if done == total == 8:
                add(workspace, range(8, 12), job_id)

        Queue(workspace).run(job_id, watch)
        job = progress.read_job(workspace, job_id)
        assert (job["state"], job["done"], job["total"]) == ("done", 12, 12)
        assert job["result"] == {"photos": 12, "skipped": []}
        assert encoded(home) == 12

    def test_after_its_end_the_job_goes_on(self, workspace: Workspace, home: Path, engine: SquaresEngine) -> None:
        job_id = add(workspace, range(8)).job_id
        assert job_id is not None
        Queue(workspace).run(job_id)
        assert add(workspace, range(8, 12), job_id).job_id == job_id
        assert states(workspace, job_id) == ["queued"]
        Queue(workspace).work_off()
        assert progress.read_job(workspace, job_id)["result"] == {"photos": 12, "skipped": []}
        assert engine.looked == encoded(home) == 12

    def test_to_a_job_that_failed_is_another_job(self, workspace: Workspace) -> None:
        job_id = add(workspace, range(2)).job_id
        assert job_id is not None
        progress.finish(workspace, job_id, "failed", "The disk is full.", {})
        other = add(workspace, range(2, 4), job_id).job_id
        assert other not in (None, job_id)

    def test_what_is_known_is_said_and_not_looked_at_again(self, workspace: Workspace) -> None:
        job_id = add(workspace, range(4)).job_id
        assert job_id is not None
        Queue(workspace).run(job_id)
        again = add(workspace, range(2, 6), job_id)
        assert [photo.known for photo in again.taken] == [True, True, False, False]
        assert progress.read_job(workspace, job_id)["total"] == 6
        assert add(workspace, range(4)).job_id is None

    def test_a_photo_that_waits_already_waits_once(self, workspace: Workspace) -> None:
        job_id = add(workspace, range(4)).job_id
        add(workspace, range(4), job_id)
        assert job_id is not None
        assert progress.read_job(workspace, job_id)["total"] == 4

    def test_to_no_job_or_a_reset_stores_nothing(self, workspace: Workspace, home: Path) -> None:
        with workspace.database.write() as connection:
            reset = jobs.add(connection, "reset", {}, 1, "Waiting")
        with pytest.raises(NotFound):
            add(workspace, range(4), 99)
        with pytest.raises(InvalidInput):
            add(workspace, range(4), reset)
        assert not rows(home, "SELECT id FROM photos")


@pytest.mark.parametrize("place", [0, 11, TURN + 3])
def test_a_photo_that_kills_whoever_looks_at_it_is_passed_over(workspace: Workspace, home: Path, place: int) -> None:
    photos = drawn(range(2 * TURN))
    photos[place] = ("deadly.png", lambda: picture(DEADLY))
    ids, _refusals = store_photos(workspace, photos)
    job_id = request_encoding(workspace, ids)
    deaths = 0
    while dies(home, "deadly photo looked at", "run job", job_id):
        deaths += 1
        assert deaths <= progress.MAX_ATTEMPTS + 1
    assert deaths >= progress.MAX_ATTEMPTS
    job = progress.read_job(workspace, job_id)
    assert (job["state"], job["done"]) == ("done", 2 * TURN)
    assert job["result"] == {"photos": 2 * TURN - 1, "skipped": [[f"photo {ids[place]}", PASSED_OVER]]}
    assert encoded(home) == 2 * TURN - 1
    assert (home / "datasets/uploads/deadly.png").exists()
    assert_consistent(workspace)
