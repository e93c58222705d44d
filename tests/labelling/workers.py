"""Real processes over one installation: some work, some are killed where it hurts.

They are forked by a server process that has imported the product and opened nothing (a fork of the test process
would share SQLite's view of its locks), so that one costs milliseconds.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import sklearn.decomposition  # noqa: F401 - what the product imports only when it first needs it, 1 s in every process
from flask import Flask

from app import create_app
from app.config import PROJECT
from app.errors import NamesakeError
from app.labelling import bringing, decisions, erasing, importing, resetting, restoring
from app.labelling.workspace import Workspace
from app.recognition import bulk
from app.recognition.images import Photo
from app.store.db import Database
from tests.labelling.squares import CELL, SquaresEngine, colour_of

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.labelling.workers"])

Process = Any


def open_home(home: Path) -> Any:
    """An application over the home, with the engine that reads squares."""
    os.chdir(PROJECT)
    app = create_app(home)
    app.extensions["namesake"].engine = SquaresEngine()
    return app


# ---- Processes that work


def start(work: Callable[..., Any], *arguments: Any) -> tuple[Process, Connection]:
    """Run work(answer, *arguments) in another process."""
    receiver, sender = _context.Pipe(duplex=False)
    process = _context.Process(target=work, args=(sender, *arguments))
    process.start()
    sender.close()
    return process, receiver


def in_process(jobs: Sequence[tuple[Path, Sequence[tuple[str, int | None]], str | None]]) -> list[list[str]]:
    """Confirm in as many processes at once; what each was answered, in its order."""
    started = [start(confirm_all, *job) for job in jobs]
    answers = [answer.recv() for _process, answer in started]
    for process, _answer in started:
        process.join()
    return answers


def confirm_all(answer: Connection, home: Path, faces: Sequence[tuple[str, int | None]], label: str | None) -> None:
    """label: None names each face after its number."""
    workspace = open_home(home).extensions["namesake"]
    answer.send([_confirm(workspace, path, label or f"person {(face or 0) % 7}", face) for path, face in faces])


def _confirm(workspace: Workspace, path: str, label: str, face: int | None) -> str:
    try:
        decisions.confirm(workspace, path, label, face)
    except NamesakeError as error:
        return type(error).__name__
    return "ok"


# ---- Processes that are killed


def die(home: Path, where: str, action: str, *arguments: Any) -> None:
    """Do something in a process that is killed (-9) at a point of POINTS."""
    process, _answer = start(_act, home, where, action, arguments)
    process.join()
    assert process.exitcode == -signal.SIGKILL, f"it was to be killed and ended with {process.exitcode}"


def dies(home: Path, where: str, action: str, *arguments: Any) -> bool:
    """As `die`, but it may also come to its end."""
    process, _answer = start(_act, home, where, action, arguments)
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return bool(process.exitcode)


def _act(_answer: Connection, home: Path, where: str, action: str, arguments: Sequence[Any]) -> None:
    app = open_home(home)
    POINTS[where]()
    ACTIONS[action](app, *arguments)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _around(function: str, chosen: Callable[..., bool], *, first: bool) -> Callable[[], None]:
    """Kill when os.`function` is called with chosen arguments: in place of it, or once it has done its work."""

    def arm() -> None:
        real = getattr(os, function)

        def deadly(*arguments: Any, **options: Any) -> Any:
            if not chosen(*arguments):
                return real(*arguments, **options)
            if not first:
                real(*arguments, **options)
            return _kill()

        setattr(os, function, deadly)

    return arm


def _half_written() -> None:
    real = os.pwrite

    def pwrite(descriptor: int, data: bytes, offset: int) -> int:
        real(descriptor, data[: len(data) // 2], offset)
        _kill()
        return 0

    os.pwrite = pwrite  # type: ignore[assignment]


def _is_pickle(_source: Any, target: Any) -> bool:
    return Path(target).name == "train.pickle"


def _is_journal(path: Any, *_rest: Any) -> bool:
    return Path(path).name.startswith("journal-")


def _stages(_source: Any, target: Any) -> bool:
    return ".staging" in Path(target).parts


def _moves(source: Any, target: Any) -> bool:
    return not _stages(source, target)


POINTS: dict[str, Callable[[], None]] = {
    "journal written": _around("rename", _moves, first=True),
    "photo moved": _around("rename", _moves, first=False),
    "photo staged": _around("rename", _stages, first=False),
    "half appended": _half_written,
    "appended": _around("pwrite", lambda *_arguments: True, first=False),
    "before the rewrite": _around("replace", _is_pickle, first=True),
    "rewritten": _around("replace", _is_pickle, first=False),
    "committed": _around("unlink", _is_journal, first=True),
    "backup kept": _around("rename", lambda _source, target: Path(target).parent.name == "archives", first=False),
    "file put away": _around("rename", lambda _source, target: "gone-" in str(target), first=False),
    "photo arrived": _around("rename", lambda source, _target: "restore-" in str(source), first=False),
    "scrubbed": lambda: _after_scrubbing(),
    "further photos looked at": lambda: _die_looking_beyond(AHEAD),
    "deadly photo looked at": lambda: _die_looking_at(DEADLY),
}

# A photo of this person kills whoever looks at it, as one that makes a decoder crash does.
DEADLY = "mallory"

# So many photos may be under way on two processors. When one more is looked at, the first chunk has been stored.
AHEAD = 2 * 2 * bulk.CHUNK


def _after_scrubbing() -> None:
    real = Database.scrub

    def scrub(self: Database) -> None:
        real(self)
        _kill()

    Database.scrub = scrub  # type: ignore[method-assign]


def _die_looking_beyond(number: int) -> None:
    bulk.processors = lambda: 2
    real = SquaresEngine.look

    def look(self: SquaresEngine, photos: Sequence[Photo]) -> Any:
        found = real(self, photos)
        return _kill() if self.looked > number else found

    SquaresEngine.look = look  # type: ignore[method-assign]


def _bring_back(app: Flask, archive: Path) -> None:
    with archive.open("rb") as file:
        bringing.bring_back(app.extensions["namesake"], file)


def _die_looking_at(person: str) -> None:
    real = SquaresEngine.look

    def look(self: SquaresEngine, photos: Sequence[Photo]) -> Any:
        if any(photo.pixels[CELL // 2, CELL // 2, 0] == colour_of(person) for photo in photos):
            _kill()
        return real(self, photos)

    SquaresEngine.look = look  # type: ignore[method-assign]


def _encode(app: Flask, folder: Path, output: Path) -> None:
    Workspace.load_engine = lambda *_arguments: SquaresEngine()  # type: ignore[method-assign]
    with app.app_context():
        app.test_cli_runner().invoke(args=["encode", "-d", str(folder), "-o", str(output)])


ACTIONS: dict[str, Callable[..., Any]] = {
    "confirm": lambda app, *arguments: decisions.confirm(app.extensions["namesake"], *arguments),
    "move": lambda app, *arguments: decisions.move(app.extensions["namesake"], *arguments),
    "unlabel": lambda app, *arguments: decisions.unlabel(app.extensions["namesake"], *arguments),
    "run job": lambda app, job_id: app.extensions["namesake-queue"].run(job_id),
    "reset": lambda app: app.extensions["namesake-queue"].run(resetting.request_reset(app.extensions["namesake"])),
    "restore": lambda app, file: restoring.restore(app.extensions["namesake"], file, lambda *_told: None),
    "erase": lambda app, *who: erasing.erase_person(app.extensions["namesake"], *who),
    "encode": _encode,
    "bring back": _bring_back,
    "import": lambda app, folder: app.extensions["namesake-queue"].run(
        importing.request_import(app.extensions["namesake"], folder)
    ),
}
