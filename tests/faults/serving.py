"""Servers whose every step on the disk is counted: forked ones for most cases, and gunicorn as anyone starts it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from app.config import PROJECT
from tests.faults.control import VARIABLE, Control
from tests.faults.zygote import CONSUMING, Zygote, is_gone
from tests.server import Server, free_port
from tests.waiting import wait_for

_SITE = PROJECT / "tests" / "faults" / "site"
WORKERS = "2"


class Counted(Server):
    """gunicorn in processes of its own, with its consumer and the real networks."""

    def __init__(self, home: Path, control: Control, models: Path) -> None:
        path = os.pathsep.join([str(_SITE), str(PROJECT)])
        settings = {"PYTHONPATH": path, VARIABLE: str(control.folder), "NAMESAKE_WORKERS": WORKERS}
        super().__init__(home, settings=settings, models=models)
        self.control = control

    @property
    def group(self) -> int:
        return self.process.pid

    def start(self) -> Counted:
        super().start()
        wait_for(self.consumers, "the consumer to start")
        wait_for(lambda: "Ready, with" in (self.home / "server.log").read_text(), "the engine to be loaded")
        return self

    def help_with_jobs(self) -> None:
        """The consumer is there."""

    def is_dead(self) -> bool:
        return self.process.poll() is not None and not self.pids()

    def end(self) -> None:
        """Kill every process, and wait until they are gone."""
        with suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)
        self.kill_everything()  # the consumer has a session of its own
        wait_for(self.is_dead, "every process of the server to be gone", seconds=20)


class Forked(Server):
    """gunicorn out of the zygote, with an engine that reads squares."""

    def __init__(self, home: Path, control: Control, zygote: Zygote) -> None:
        super().__init__(home)
        self.control = control
        self._zygote = zygote
        self.group = 0

    def start(self) -> Forked:
        self.begin()
        deadline = time.monotonic() + 60
        while not self.is_up():
            assert not is_gone(self.group), (self.home / "server.log").read_text()[-3000:]
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.005)
        return self

    def begin(self) -> None:
        """Start it, and do not wait."""
        self.port = free_port()
        self.group = self._fork("serve", 0)

    def help_with_jobs(self) -> None:
        """Start a consumer beside it."""
        log = self.home / "server.log"
        before = log.read_text().count(CONSUMING)
        self._fork("consume", self.group)
        wait_for(lambda: log.read_text().count(CONSUMING) > before, "the consumer to start")

    def is_dead(self) -> bool:
        return is_gone(self.group)

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)
        while not self.is_dead():
            time.sleep(0.002)

    def _fork(self, what: str, group: int) -> int:
        environment = {
            "NAMESAKE_HOME": str(self.home),
            "NAMESAKE_BIND": f"127.0.0.1:{self.port}",
            "NAMESAKE_WORKERS": WORKERS,
            VARIABLE: str(self.control.folder),
        }
        return self._zygote.fork(what, self.home / "server.log", group, **environment)

    def is_up(self) -> bool:
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False
