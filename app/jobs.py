"""Background work: a queue in SQLite (Huey), and the consumer process that works it off.

The queue only carries a signed word that there is something to do; what the jobs are and how far they have come is in
the store. So a message can be lost or come twice without harm: a consumer that starts looks for unfinished jobs by
itself. Jobs on many photos take turns, so that a few photos need not wait for thousands; a reset is one turn.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from huey import SqliteHuey
from huey.serializer import SignedSerializer

from app import logs
from app.access.secret import read_secret
from app.config import PREFIX, PROJECT, Settings
from app.errors import Conflict, NamesakeError, Unavailable
from app.labelling import archives, backups, progress, resetting, restoring
from app.labelling.importing import import_next
from app.labelling.turns import Turn
from app.labelling.uploading import look_at_next
from app.labelling.wording import many
from app.labelling.workspace import Workspace
from app.store import author

log = logging.getLogger("namesake.jobs")

_STOP_WITHIN_S = 10
"""How long a consumer that is to end waits for the step its job is at."""

# Held so that they can be reaped when they have ended.
_children: list[subprocess.Popen[bytes]] = []
_starting = threading.Lock()

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
        self._wake = self.huey.task(name="work_off")(self.work_off)
        self._consumer: Any = None

    def send(self, _job_id: int) -> None:
        """Have the consumer do a job, starting one where there is none.

        Where the queue will not take the word, the consumer finds the job in the store by itself.
        """
        try:
            self._wake()
            self.ensure_consumer()
        except Exception:
            log.exception("the consumer could not be told of a job")

    def ensure_consumer(self) -> None:
        ensure_consumer(self._workspace.settings)

    def has_consumer(self) -> bool:
        return has_consumer(self._workspace.settings)

    def run(self, job_id: int, watch: Report | None = None) -> None:
        """Do a job in this process, taking turns with others. watch: told done, total and message at every step."""
        try:
            while self._take_turn(job_id, watch):
                pass
        except KeyboardInterrupt:
            progress.put_back(self._workspace, job_id)
            raise

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no server runs, and none can start a consumer. Raises Conflict."""
        with open(_lock_path(self._workspace.settings), "w") as lock:
            if not _takes(lock):
                raise Conflict("The server is running: stop it first, or restore on its admin page.")
            with progress.turn(self._workspace):
                yield

    def work_off(self) -> None:
        """Give every unfinished job its turn, until there is none or the consumer is to stop."""
        job_id = progress.next_job(self._workspace)
        while job_id is not None and not self._is_stopping():
            try:
                self._take_turn(job_id, self._stop_if_told)
            except _Stopped:
                progress.put_back(self._workspace, job_id)
            job_id = progress.next_job(self._workspace, after=job_id)

    def _is_stopping(self) -> bool:
        return self._consumer is not None and self._consumer.stop_flag.is_set()

    def _stop_if_told(self, _done: int, _total: int, _message: str) -> None:
        """Between two steps of a job, what is done is noted: it goes on from there."""
        if self._is_stopping():
            raise _Stopped

    def _take_turn(self, job_id: int, watch: Report | None = None) -> bool:
        """False when the job had ended before."""
        with progress.turn(self._workspace):
            begun = progress.begin(self._workspace, job_id)
            if begun is not None:
                with logs.about(job=job_id):
                    log.info("a turn of %s begins", begun.job.kind)
                    _run(self._workspace, begun, watch)
            return begun is not None

    def consume(self, parent: int | None = None, lock: int | None = None) -> None:
        """Be the consumer, until told to stop or process `parent` is gone.

        lock: the descriptor of the consumer's lock, held already. Returns when another process has it.
        """
        held = open(_lock_path(self._workspace.settings), "w") if lock is None else os.fdopen(lock, "w")  # noqa: SIM115
        with held:
            if not _takes(held):
                return
            self.huey.flush()
            progress.rest(self._workspace)
            threading.Thread(target=self._watch, args=(parent,), daemon=True).start()
            self._consumer = self.huey.create_consumer(
                workers=1, periodic=False, max_delay=0.5, graceful_signal="TERM", shutdown_timeout=_STOP_WITHIN_S
            )
            self._consumer.run()

    def _watch(self, parent: int | None) -> None:
        """Take up what was left unfinished, by a killed consumer or a killed command; end with the parent."""
        while parent in (None, os.getppid()):
            idle = not self.huey.pending_count() and progress.is_idle(self._workspace)
            if idle and progress.next_job(self._workspace) is not None:
                self._wake()
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(2 * _STOP_WITHIN_S)
        os._exit(1)


class _Stopped(BaseException):
    """The consumer is to end: not an error of the job."""


def ensure_consumer(settings: Settings) -> None:
    """Start a consumer beside this process if none is running or starting."""
    with _starting:
        _reap()
        _start_consumer(settings)


def _start_consumer(settings: Settings) -> None:
    with open(_lock_path(settings), "w") as lock:
        if not _takes(lock):
            return
        # The lock goes over to the consumer as it is, so that nobody else starts one meanwhile.
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "consume"]
        command += ["--parent", str(os.getpid()), "--lock", str(lock.fileno())]
        environment = os.environ | {PREFIX + "HOME": str(settings.home)}
        # Ctrl-C in a terminal goes to a whole session: the consumer ends when its parent does, and in good order.
        child = subprocess.Popen(  # noqa: S603
            command, cwd=PROJECT, env=environment, pass_fds=(lock.fileno(),), start_new_session=True
        )
        _children.append(child)


def has_consumer(settings: Settings) -> bool:
    """Whether one is running or starting."""
    path = _lock_path(settings)
    if not path.exists():
        return False
    with path.open() as lock:
        return not _takes(lock, fcntl.LOCK_SH)


def supervise(settings: Settings, wanted: Callable[[], bool] = lambda: True) -> None:
    """Keep a consumer running for as long as this process does, or is `wanted`.

    For processes that do not fork: a fork would inherit the lock while this holds it for a moment.
    """

    def watch() -> None:
        while wanted():
            ensure_consumer(settings)
            time.sleep(1)

    threading.Thread(target=watch, name="consumer-supervisor", daemon=True).start()


def dismiss_consumer() -> None:
    """Have the consumer that this process started put its job back and end, and wait for it. None is started again."""
    _starting.acquire()
    for child in _children:
        child.terminate()
    for child in _children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(_STOP_WITHIN_S)


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]


def _lock_path(settings: Settings) -> Path:
    return settings.instance / "consumer.lock"


def _takes(lock: IO[str], how: int = fcntl.LOCK_EX) -> bool:
    """Take the lock if nobody has it."""
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _run(workspace: Workspace, begun: progress.Begun, watch: Report | None) -> None:
    job, kind = begun.job, _KINDS[begun.job.kind]
    try:
        with author.acting_for(job.who):
            kind.run(workspace, begun, watch)
    except Exception as error:
        kind.abandon(workspace, job.id)
        if isinstance(error, NamesakeError):
            message = error.message
        else:
            log.exception("the job failed")
            message = f"It failed unexpectedly. {kind.left}"
        status = error.status if isinstance(error, NamesakeError) else Unavailable.status
        progress.finish(workspace, job.id, "failed", message, {"status": status})


def _reporting(workspace: Workspace, begun: progress.Begun, watch: Report | None) -> Report:
    told: set[tuple[int, str]] = set()

    def report(done: int, total: int, message: str) -> None:
        step = (100 * done // max(total, 1), message)
        if step in told:  # every report waits for the disk
            return
        told.add(step)
        progress.report(workspace, begun.job.id, done=done, total=total, message=message)
        if watch is not None:
            watch(done, total, message)

    return report


def _reset(workspace: Workspace, begun: progress.Begun, watch: Report | None) -> None:
    job = begun.job
    if begun.killed and job.attempts >= progress.MAX_ATTEMPTS and job.done <= job.done_before:
        raise NamesakeError(f"It was stopped half-way too often. {_KINDS['reset'].left}")
    result = resetting.run_reset(workspace, job.id, _reporting(workspace, begun, watch))
    done = f"Training data reset: {result['faces']} faces of {result['people']} people."
    progress.finish(workspace, job.id, "done", done + _skipped(result), result)


def _backup(workspace: Workspace, begun: progress.Begun, watch: Report | None) -> None:
    made = backups.make_backup(workspace, _reporting(workspace, begun, watch))
    missing = f" {made.manifest.missing:,} were missing or damaged." if made.manifest.missing else ""
    done = f"Backup {made.name}: {made.manifest.photos:,} photos.{missing}"
    progress.finish(workspace, begun.job.id, "done", done, {"skipped": [], "name": made.name})


def _restore(workspace: Workspace, begun: progress.Begun, watch: Report | None) -> None:
    path = archives.find(workspace, begun.job.payload["name"]).path
    result = restoring.restore(workspace, path, _reporting(workspace, begun, watch), begun.job.id)
    progress.finish(workspace, begun.job.id, "done", restoring.in_words(result), result | {"skipped": []})


def _encode(workspace: Workspace, begun: progress.Begun, watch: Report | None) -> None:
    turn = Turn(workspace, begun, "Looking for faces", watch)
    look_at_next(workspace, begun.job.payload, turn)
    progress.end_turn(
        workspace, begun.job.id, lambda result: f"{many(result['photos'], 'photo')} looked at.{_skipped(result)}"
    )


def _import(workspace: Workspace, begun: progress.Begun, watch: Report | None) -> None:
    turn = Turn(workspace, begun, "Taking in photos", watch)
    import_next(workspace, begun.job.payload, turn)
    progress.end_turn(workspace, begun.job.id, _imported)


def _imported(result: dict[str, Any]) -> str:
    known = result.get("known")
    here = f", {known:,} of them known before" if known else ""
    named = result.get("named")
    told = f" {named:,} {'face' if named == 1 else 'faces'} named by XMP." if named else ""
    return f"{many(result['photos'], 'photo')} imported{here}.{told}{_skipped(result)}"


def _skipped(result: dict[str, Any]) -> str:
    skipped = len(result["skipped"])
    return f" {skipped:,} {'file was' if skipped == 1 else 'files were'} skipped." if skipped else ""


def _nothing_to_abandon(_workspace: Workspace, _job_id: int) -> None:
    return None


class _Kind(NamedTuple):
    """run: a turn of it. left: what a failure leaves, in words."""

    run: Callable[[Workspace, progress.Begun, Report | None], None]
    abandon: Callable[[Workspace, int], None]
    left: str


_KINDS = {
    "reset": _Kind(_reset, resetting.abandon_reset, "Nothing was changed."),
    "backup": _Kind(_backup, _nothing_to_abandon, "No backup was made."),
    "restore": _Kind(_restore, _nothing_to_abandon, "Nothing was changed."),
    "encode": _Kind(_encode, _nothing_to_abandon, "The faces found until then are kept."),
    "import": _Kind(_import, _nothing_to_abandon, "What was imported until then is kept."),
}
