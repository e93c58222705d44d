"""Makes servers in a tenth of a second: it has imported everything and opened nothing, and forks.

What it makes is gunicorn's own master over gunicorn.conf.py, which forks its workers, each with the whole application.
Three things are not as they are otherwise: the engine reads squares, so that no network has to be loaded; the consumer
is started when it is asked for instead of all the time; and whoever asks for a reset is told after seconds that it is
under way, for a job that finds its disk read-only waits for another one.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

_SUBREAPER = 36
CONSUMING = "The consumer is there."


class Zygote:
    """The harness's side of it."""

    def __init__(self, log: Path) -> None:
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.zygote"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )

    def fork(self, what: str, log: Path, group: int, **environment: str) -> int:
        """A process that is the master of a server ("serve") or a consumer ("consume"), in its own group or in that
        of another; its id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"what": what, "log": str(log), "group": group, "environment": environment}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()


def is_gone(group: int) -> bool:
    """Whether no process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def main() -> None:
    ctypes.CDLL(None).prctl(_SUBREAPER, 1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps, also whom a killed master leaves
    _import_everything()
    while line := sys.stdin.readline():
        request = json.loads(line)
        child = os.fork()
        if not child:
            _be(request)
        os.setpgid(child, request["group"] or child)
        print(child, flush=True)


def _import_everything() -> None:
    import gunicorn.app.wsgiapp
    import gunicorn.workers.gthread  # noqa: F401
    import huey.consumer  # noqa: F401
    import numpy as np
    import sklearn.decomposition
    from PIL import Image

    import app.cli
    import app.recognition.onnx_engine  # noqa: F401
    from tests.faults import steps  # noqa: F401

    sklearn.decomposition.PCA(2).fit(np.eye(4))
    Image.init()


def _be(request: dict[str, Any]) -> None:
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setpgid(0, request["group"])
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ |= request["environment"]
        _be_quick()
        from tests.faults.steps import install_from_environment

        install_from_environment()
        {"serve": _serve, "consume": _consume}[request["what"]]()
        code = 0
    except BaseException:  # noqa: BLE001 - SystemExit too: this must never come back into the zygote's loop
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _be_quick() -> None:
    from app.labelling.workspace import Workspace
    from app.views import admin
    from tests.labelling.squares import SquaresEngine

    Workspace.load_engine = lambda *_arguments: SquaresEngine()  # type: ignore[method-assign]
    jobs = importlib.import_module("app.jobs")  # app.jobs, by its other name, is the page
    jobs.supervise = lambda *_arguments: None  # type: ignore[attr-defined]
    jobs.ensure_consumer = lambda *_arguments: None  # type: ignore[attr-defined]
    admin._PATIENCE_S = 3


def _serve() -> None:
    from gunicorn.app.wsgiapp import WSGIApplication

    sys.argv = ["gunicorn", "wsgi:app"]
    WSGIApplication("gunicorn").run()


def _consume() -> None:
    from app import create_app

    queue = create_app().extensions["namesake-queue"]
    print(CONSUMING, flush=True)
    queue.consume()


if __name__ == "__main__":
    main()
