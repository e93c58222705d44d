"""How far a job has come, how fast it goes and how long it will take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.labelling import progress
from app.labelling.photos import request_encoding
from app.labelling.workspace import Workspace
from app.store import queries

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC).replace(tzinfo=None)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Clock:
    """Says when it is, in seconds from noon."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, seconds: float) -> None:
        self._monkeypatch.setattr(queries, "now", lambda: NOON + timedelta(seconds=seconds))


def told(workspace: Workspace, job_id: int) -> tuple[str, int | None]:
    job = progress.read_job(workspace, job_id)
    return job["message"], job["eta_s"]


def test_a_running_job_says_its_pace_and_the_time_left(workspace: Workspace, at: Clock) -> None:
    at(0)
    job_id = request_encoding(workspace, range(100))
    assert told(workspace, job_id) == ("Waiting to start", None)
    progress.begin(workspace, job_id)
    progress.report(workspace, job_id, done=0, total=100, message="Looking")
    assert told(workspace, job_id) == ("Looking", None)
    progress.report(workspace, job_id, done=20, total=100, message="Looking")
    at(1)
    assert told(workspace, job_id) == ("Looking: 20 a second", 4)
    at(8)
    assert told(workspace, job_id) == ("Looking: 2.5 a second", 32)
    progress.report(workspace, job_id, done=100, total=100, message="Switching over")
    assert told(workspace, job_id) == ("Switching over", 0)
    progress.finish(workspace, job_id, "done", "All done", {})
    assert told(workspace, job_id) == ("All done", None)


def test_what_an_earlier_run_did_does_not_count_as_pace(workspace: Workspace, at: Clock) -> None:
    at(0)
    job_id = request_encoding(workspace, range(100))
    progress.begin(workspace, job_id)
    progress.report(workspace, job_id, done=60, total=100, message="Looking")
    at(1000)
    progress.begin(workspace, job_id)  # the process was killed
    progress.report(workspace, job_id, done=40, total=100, message="Looking")
    at(1002)
    assert told(workspace, job_id) == ("Looking", None)
    progress.report(workspace, job_id, done=80, total=100, message="Looking")
    assert told(workspace, job_id) == ("Looking: 10 a second", 2)


def test_a_clock_that_stands_still_divides_nothing(workspace: Workspace, at: Clock) -> None:
    at(0)
    job_id = request_encoding(workspace, range(8))
    progress.begin(workspace, job_id)
    progress.report(workspace, job_id, done=4, total=8, message="Looking")
    assert told(workspace, job_id)[1] == 0
