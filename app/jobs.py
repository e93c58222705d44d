"""Background work: a queue in SQLite (Huey), and the consumer process that works it off.

The queue only carries a job's number, signed; what the job is and how far it has come is in the store. So a
message can be lost or come twice without harm: a consumer that starts looks for unfinished jobs by itself.
"""

from __future__ import annotations

import fcntl
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

from huey import SqliteHuey
from huey.serializer import SignedSerializer

from app.config import PREFIX, PROJECT, Settings
from app.errors import NamesakeError
from app.labelling import progress, resetting
from app.labelling.finding import find_faces
from app.labelling.workspace import Workspace
from app.security import read_secret

log = logging.getLogger("namesake.jobs")

# Held so that they can be reaped when they have ended.
_children: list[subprocess.Popen[bytes]] = []

Report = Callable[[int, int, str], None]


class Queue:
    """The jobs of one installation."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        instance = workspace.settings.instance
        self.huey = SqliteHuey(
            filename=str(instance / "queue.sqlite"),
            results=False,
            serializer=SignedSerializer(secret=read_secret(instance)),
        )
        self._send = self.huey.task(name="run_job")(self.run)

    def send(self, job_id: int) -> None:
        """Have the consumer do a job, starting one where there is none."""
        self._send(job_id)
        self.ensure_consumer()

    def ensure_consumer(self) -> None:
        ensure_consumer(self._workspace.settings)

    def run(self, job_id: int, watch: Report | None = None) -> None:
        """Do a job in this process. watch: told done, total and message at every step."""
        with progress.turn(self._workspace):
            _run(self._workspace, job_id, watch)

    def consume(self, parent: int | None = None, lock: int | None = None) -> None:
        """Be the consumer, until told to stop or process `parent` is gone.

        lock: the descriptor of the consumer's lock, held already. Returns when another process has it.
        """
        held = open(_lock_path(self._workspace.settings), "w") if lock is None else os.fdopen(lock, "w")  # noqa: SIM115
        with held:
            if not _takes(held):
                return
            self.huey.flush()
            threading.Thread(target=self._watch, args=(parent,), daemon=True).start()
            self.huey.create_consumer(workers=1, periodic=False, max_delay=0.5).run()

    def _watch(self, parent: int | None) -> None:
        """Take up what was left unfinished, by a killed consumer or a killed command; end with the parent."""
        while parent in (None, os.getppid()):
            if not self.huey.pending_count() and progress.is_idle(self._workspace):
                for job_id in progress.unfinished_jobs(self._workspace):
                    self._send(job_id)
            time.sleep(1)
        os._exit(0)


def ensure_consumer(settings: Settings) -> None:
    """Start a consumer beside this process if none is running or starting."""
    _reap()
    with open(_lock_path(settings), "w") as lock:
        if not _takes(lock):
            return
        # The lock goes over to the consumer as it is, so that nobody else starts one meanwhile.
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "consume"]
        command += ["--parent", str(os.getpid()), "--lock", str(lock.fileno())]
        environment = os.environ | {PREFIX + "HOME": str(settings.home)}
        child = subprocess.Popen(command, cwd=PROJECT, env=environment, pass_fds=(lock.fileno(),))  # noqa: S603
        _children.append(child)


def supervise(settings: Settings) -> None:
    """Keep a consumer running for as long as this process does.

    For processes that do not fork: a fork would inherit the lock while this holds it for a moment.
    """

    def watch() -> None:
        while True:
            ensure_consumer(settings)
            time.sleep(1)

    threading.Thread(target=watch, name="consumer-supervisor", daemon=True).start()


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]


def _lock_path(settings: Settings) -> Path:
    return settings.instance / "consumer.lock"


def _takes(lock: IO[str]) -> bool:
    """Take the lock if nobody has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _run(workspace: Workspace, job_id: int, watch: Report | None) -> None:
    job = progress.begin(workspace, job_id)
    if job is None:
        return
    kind = _KINDS[job.kind]

    def report(done: int, total: int, message: str) -> None:
        progress.report(workspace, job_id, done=done, total=total, message=message)
        if watch is not None:
            watch(done, total, message)

    try:
        if job.attempts > progress.MAX_ATTEMPTS:
            raise NamesakeError(f"It was stopped half-way too often. {kind.left}")
        result = kind.run(workspace, job_id, job.payload, report)
    except Exception as error:
        kind.abandon(workspace, job_id)
        if isinstance(error, NamesakeError):
            message = error.message
        else:
            log.exception("job %s failed", job_id)
            message = f"It failed unexpectedly. {kind.left}"
        progress.finish(workspace, job_id, "failed", message, {"refused": isinstance(error, NamesakeError)})
        return
    progress.finish(workspace, job_id, "done", _summary(job.kind, result), result)


def _reset(workspace: Workspace, job_id: int, _payload: Any, report: Report) -> dict[str, Any]:
    return resetting.run_reset(workspace, job_id, report)


def _encode(workspace: Workspace, _job_id: int, payload: Any, report: Report) -> dict[str, Any]:
    photo_ids = payload["photo_ids"]
    problems = find_faces(workspace, photo_ids, lambda done: report(done, len(photo_ids), "Looking for faces"))
    skipped = [(f"photo {photo_id}", error.message) for photo_id, error in problems]
    return {"photos": len(photo_ids) - len(skipped), "skipped": skipped}


def _summary(kind: str, result: dict[str, Any]) -> str:
    if kind == "reset":
        done = f"Training data reset: {result['faces']} faces of {result['people']} people."
    else:
        done = f"{result['photos']} photos looked at."
    skipped = len(result["skipped"])
    return f"{done} {skipped} {'file was' if skipped == 1 else 'files were'} skipped." if skipped else done


def _nothing_to_abandon(_workspace: Workspace, _job_id: int) -> None:
    return None


class _Kind(NamedTuple):
    """left: what a failure leaves, in words."""

    run: Callable[[Workspace, int, Any, Report], dict[str, Any]]
    abandon: Callable[[Workspace, int], None]
    left: str


_KINDS = {
    "reset": _Kind(_reset, resetting.abandon_reset, "Nothing was changed."),
    "encode": _Kind(_encode, _nothing_to_abandon, "The faces found until then are kept."),
}
