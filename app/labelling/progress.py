"""What background work has done so far, kept in the store so that any process can show it."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from app.errors import NotFound
from app.labelling.workspace import Workspace
from app.store import files, jobs, queries

# A job that kills its process this often at the same place (out of memory, say) is not resumed again.
MAX_ATTEMPTS = 3


def read_job(workspace: Workspace, job_id: int) -> dict[str, Any]:
    """A job as the HTTP contract shows it, with its id, kind and result. Raises NotFound."""
    with workspace.database.read() as connection:
        job = jobs.shown(connection, job_id)
    if job is None:
        raise NotFound("There is no such job.")
    return describe(job)


def describe(job: Row[Any]) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "message": _message(job),
        "eta_s": _eta_s(job),
        "result": _public(job.result),
        "created": job.created_at,
    }


def percent(job: dict[str, Any]) -> int:
    return 100 if job["state"] == "done" else round(100 * job["done"] / max(job["total"], 1))


def newest_jobs(workspace: Workspace, limit: int = 10) -> list[dict[str, Any]]:
    with workspace.database.read() as connection:
        return [describe(job) for job in jobs.newest(connection, limit)]


def next_job(workspace: Workspace, after: int = 0) -> int | None:
    """The unfinished job whose turn it is once `after` has had its own; None when there is nothing to do."""
    with workspace.database.read() as connection:
        return jobs.next_unfinished(connection, after)


class Begun(NamedTuple):
    """killed: the turn before did not come to its end."""

    job: Row[Any]
    killed: bool


def begin(workspace: Workspace, job_id: int) -> Begun | None:
    """Mark a job as running and return it; None when it is finished.

    Its pace is counted from here, unless this is the next turn of one that is under way.
    """
    with workspace.database.write() as connection:
        job = jobs.get(connection, job_id)
        if job is None or job.state not in jobs.UNFINISHED:
            return None
        killed = job.attempts > 0
        again = killed and job.done <= job.done_before
        jobs.change(connection, job_id, state="running", attempts=job.attempts + 1 if again else 1)
        if killed or job.state == "queued":
            jobs.change(connection, job_id, started_at=queries.now(), done_before=job.done)
        return Begun(job, killed)


def report(workspace: Workspace, job_id: int, *, done: int, message: str, **more: Any) -> None:
    """more: total and result, where they change."""
    with workspace.database.write() as connection:
        jobs.change(connection, job_id, done=done, message=message, **more)


def end_turn(workspace: Workspace, job_id: int, summary: Callable[[dict[str, Any]], str]) -> None:
    """Let other jobs have theirs; the end of the job if nothing was added to it meanwhile. summary: of its result."""
    with workspace.database.write() as connection:
        job = jobs.get(connection, job_id)
        if job is None or job.done < job.total:
            jobs.change(connection, job_id, attempts=0)
        else:
            _finish(connection, job_id, "done", summary(job.result), _public(job.result))


def rest(workspace: Workspace) -> None:
    """Tell jobs that are between two turns that nobody works on them: nothing counts towards their pace."""
    with workspace.database.write() as connection:
        jobs.rest(connection)


def put_back(workspace: Workspace, job_id: int) -> None:
    """Have an unfinished job wait for whoever comes: its run was broken off in good order."""
    with workspace.database.write() as connection:
        job = jobs.get(connection, job_id)
        if job is not None and job.state == "running":
            jobs.change(connection, job_id, state="queued", attempts=0)


def finish(workspace: Workspace, job_id: int, state: str, message: str, result: dict[str, Any]) -> None:
    with workspace.database.write() as connection:
        _finish(connection, job_id, state, message, result)


def _finish(connection: Connection, job_id: int, state: str, message: str, result: dict[str, Any]) -> None:
    ended = {"attempts": 0, "finished_at": queries.now()}
    jobs.change(connection, job_id, state=state, message=message[:1000], result=result, **ended)


def _public(result: dict[str, Any] | None) -> Any:
    """A result without what a job only remembers from turn to turn."""
    return result and {key: value for key, value in result.items() if not key.startswith("_")}


@contextmanager
def turn(workspace: Workspace) -> Iterator[None]:
    """One job at a time, over all processes. The lock goes with the process that holds it."""
    with (workspace.settings.instance / "jobs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_idle(workspace: Workspace) -> bool:
    """Whether no process is working on a job."""
    with (workspace.settings.instance / "jobs.lock").open("w") as lock:
        return files.takes(lock)


def _message(job: Row[Any]) -> str:
    pace = _pace(job)
    if pace is None or job.done == job.total:
        return str(job.message)
    return f"{job.message}: {pace:.{0 if pace >= 10 else 1}f} a second"


def _eta_s(job: Row[Any]) -> int | None:
    pace = _pace(job)
    return None if pace is None else round((job.total - job.done) / pace)


def _pace(job: Row[Any]) -> float | None:
    """How many a second, in this run: what runs before it have done goes by too fast to count."""
    done: int = job.done - job.done_before
    if job.state != "running" or done <= 0 or job.started_at is None:
        return None
    spent: float = (queries.now() - job.started_at).total_seconds()
    return done / max(spent, 0.001)
