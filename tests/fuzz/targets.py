"""The product, to send files to: in this process, or a real server."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from app import create_app
from app.recognition import decoder
from tests.fuzz.tally import INSIDE, Tally, status
from tests.server import Server, share_models
from tests.views.site import MULTIPART, multipart

HANG_S = 20
"""An input that takes longer is a violation: the slowest good photo of this size takes a tenth of a second."""
GREW_MB = 350
DECODER_MB = 500
_REFUSALS = (400, 413, 415)


class Target(Protocol):
    """home: its installation."""

    home: Path

    def post(self, url: str, name: str, data: bytes) -> tuple[int, Any]: ...
    def measure(self, tally: Tally) -> None: ...
    def close(self) -> None: ...


class InProcess:
    """The application over a fresh installation, asked without a network; it decodes in a process of its own all the
    same."""

    def __init__(self, home: Path, models: Path) -> None:
        self.home = home
        share_models(home, models)
        self._app = create_app(home)
        self._client = self._app.test_client(use_cookies=False)
        self._began = status("self", "VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far

    def post(self, url: str, name: str, data: bytes) -> tuple[int, Any]:
        answer = self._client.post(url, data=multipart((name, data)), content_type=MULTIPART, buffered=True)
        return answer.status_code, answer.get_json(silent=True)

    def measure(self, tally: Tally) -> None:
        grown = status("self", "VmHWM") - self._began
        tally.peak["growth of the worker"] = max(tally.peak["growth of the worker"], grown)
        for each in decoder._shared._idle:
            tally.peak["decoder"] = max(tally.peak["decoder"], status(each._process.pid, "VmHWM"))
        if grown > GREW_MB or tally.peak["decoder"] > DECODER_MB:
            tally.violated(f"memory: {dict(tally.peak)}", "memory", b"")

    def close(self) -> None:
        self._app.extensions["namesake"].close()


class RealServer:
    """gunicorn with one worker, which must be the same to the end, and whose log must have no trace of a failure."""

    def __init__(self, home: Path, models: Path) -> None:
        self.home = home
        self._server = Server(home, settings={"NAMESAKE_WORKERS": "1"}, models=models).start()
        self._worker = self._find_worker()

    def post(self, url: str, name: str, data: bytes) -> tuple[int, Any]:
        status_, answer = self._server._ask("POST", url, multipart((name, data)), {"Content-Type": MULTIPART})[:2]
        return status_, answer if isinstance(answer, dict) else None

    def measure(self, tally: Tally) -> None:
        tally.peak["gunicorn worker"] = max(tally.peak["gunicorn worker"], status(self._worker, "VmHWM"))
        if self._find_worker() != self._worker:
            tally.violated("the worker has died", "gunicorn", b"")
        if "Traceback" in (self.home / "server.log").read_text():
            tally.violated("a traceback in the log", "gunicorn", b"")
        if tally.peak["gunicorn worker"] > DECODER_MB:
            tally.violated(f"memory: {dict(tally.peak)}", "memory", b"")

    def close(self) -> None:
        self._server.stop()

    def _find_worker(self) -> int:
        return next(pid for pid in self._server.pids("gunicorn") if pid != self._server.process.pid)


class Watched:
    """A target, and whether anything is written there. Closing it closes the target."""

    def __init__(self, target: Target, tally: Tally) -> None:
        self._target, self._tally = target, tally
        self._store = sqlite3.connect(target.home / "instance/namesake.sqlite")
        self._seen = self._state()
        self._lost = _Lost()
        logging.getLogger("namesake").addHandler(self._lost)

    def send(self, url: str, kind: str, name: str, data: bytes, file_name: str = "photo.jpg") -> int:
        """Post a file and check everything that must hold, whatever it is; the status."""
        began = time.monotonic()
        code, answer = self._target.post(url, file_name, data)
        seconds = time.monotonic() - began
        seen = self._state()
        kept = isinstance(answer, dict) and "photo_id" in answer
        for wrong in _wrongs(code, answer, kept, seconds, seen == self._seen):
            self._tally.violated(wrong, name, data)
        self._seen = seen
        self._tally.replaced += [f"{name}: {cause}" for cause in self._lost.take()]
        self._tally.add(kind, "taken" if code == 200 else "kept, no face" if kept else str(code), seconds, name)
        return code

    def close(self) -> None:
        self._target.measure(self._tally)
        logging.getLogger("namesake").removeHandler(self._lost)
        self._store.close()
        self._target.close()

    def _state(self) -> tuple[Any, dict[str, tuple[int, int]]]:
        """Whether anything was committed, and the files by name, size and time."""
        version = self._store.execute("PRAGMA data_version").fetchone()
        files = {}
        for path in self._target.home.rglob("*"):
            if path.is_file() and not path.name.endswith((".log", ".lock")) and ".sqlite" not in path.name:
                found = path.stat()
                files[str(path)] = (found.st_size, found.st_mtime_ns)
        return version, files


class _Lost(logging.Handler):
    """How processes that decode were lost."""

    def __init__(self) -> None:
        super().__init__()
        self._causes: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "was replaced" in str(record.msg):
            self._causes.append(record.getMessage().rpartition(": ")[2])

    def take(self) -> list[str]:
        causes, self._causes = self._causes, []
        return causes


def _wrongs(code: int, answer: Any, kept: bool, seconds: float, unchanged: bool) -> list[str]:
    allowed = {"message", "request_id"} | ({"photo_id", "image_path"} if kept else set())
    message = answer.get("message", "") if isinstance(answer, dict) else ""
    checks: list[tuple[bool, Callable[[], str]]] = [
        (code == 200 or code in _REFUSALS, lambda: f"status {code}: {answer}"),
        (isinstance(answer, dict), lambda: "no JSON"),
        (code == 200 or (isinstance(answer, dict) and set(answer) == allowed), lambda: f"fields {answer}"),
        (code == 200 or (10 < len(message) < 400 and not INSIDE.search(message)), lambda: f"words {message!r}"),
        (code == 200 or kept or unchanged, lambda: f"refused with {code}, yet something was written"),
        (seconds < HANG_S, lambda: f"took {seconds:.1f} s"),
    ]
    return [tell() for holds, tell in checks if not holds]
