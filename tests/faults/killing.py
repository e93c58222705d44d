"""One kill: a server does something over a copy of a home, dies at a step, and is started again.

The same death is looked at twice: as a crash, after which the disk has everything that was written, and as a power
cut, after which it has what was synced.
"""

from __future__ import annotations

import http.client
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from app import config, metrics
from tests.faults import checks
from tests.faults.control import KILL, NOTHING, TORN, Control
from tests.faults.disk import LOST, MIXED, NAMES, Disk, copy_store
from tests.faults.scenes import Action
from tests.faults.serving import Counted, Forked
from tests.labelling.consistency import rows

Start = Callable[[Path, Control], Counted | Forked]

_UNFINISHED = "SELECT count(*) AS n FROM jobs WHERE state NOT IN ('done', 'failed')"


@dataclass(frozen=True)
class Known:
    """What an action does when nothing goes wrong: its steps, and the state before and after."""

    action: Action
    steps: list[str]
    before: checks.State
    after: checks.State


@dataclass(frozen=True)
class Case:
    """step: 0 is once the answer has come. survives: of what was not synced. again: the step of its own start at which
    the next server is killed too, 0 for none."""

    known: Known
    step: int
    what: int
    survives: str
    again: int

    def __str__(self) -> str:
        where = f"{self.known.steps[self.step - 1]} (step {self.step})" if self.step else "the answer"
        torn = ", half written" if self.what == TORN else ""
        return f"{self.known.action.name}, at {where}{torn}"


def cases_of(known: Known, rng: random.Random) -> list[Case]:
    """Every step at which the server can die: before it, in the middle of it, and once the answer has come."""
    places = [(step, KILL) for step in range(1, len(known.steps) + 1)]
    places += [(step, TORN) for step, name in enumerate(known.steps, 1) if name.startswith("write ")]
    return [
        Case(known, step, what, rng.choice((LOST, NAMES, MIXED)), rng.choice((0, 0, 0, 1, 2, 3, 5, 8)))
        for step, what in [*places, (0, NOTHING)]
    ]


def learn(action: Action, template: Path, work: Path, start: Start) -> Known:
    """Do it once without harm."""
    with copied(template, work) as home, controlled(work) as control:
        server = ready(action, start(home, control))
        try:
            before = checks.state(home)
            control.arm(group=server.group)
            status = _do(server, action)
            control.disarm()
        finally:
            server.end()
        assert status in (200, 202), f"{action.name}: {status}, {(home / 'server.log').read_text()[-2000:]}"
        steps = [f"{name} {short(path, home)}" for step, name, path, *_ in control.records() if step]
        found = checks.problems(home)
        assert found == [], f"{action.name}, undisturbed: {found}"
        return Known(action, steps, before, checks.state(home))


@dataclass
class Outcome:
    """problems: what went wrong, each with the kind of death. kills, restarts: how many there were."""

    problems: list[str]
    kills: int = 0
    restarts: int = 0


def run(case: Case, template: Path, work: Path, start: Start) -> Outcome:
    """Kill, and look at what a crash and what a power cut leaves."""
    outcome = Outcome([], kills=1)
    with copied(template, work) as home, copied(None, work) as other, controlled(work) as control:
        disk = Disk.of(home)
        server = ready(case.known.action, start(home, control))
        try:
            control.arm(case.step, case.what, server.group)
            status = _do(server, case.known.action)
        finally:
            control.disarm()
            server.end()
        answered = status is not None
        if answered and status is not None and status >= 400:
            outcome.problems.append(f"{case}: answered with {status}")
        copy_store(home, other)
        disk.replay(control.records()).fail(other, case.survives, random.Random(case.step))
        for kind in ("crash", f"power cut, {case.survives} unsynced survives"):
            if kind != "crash":
                shutil.rmtree(home)
                other.rename(home)  # a journal names files by their whole paths
            try:
                found = _look(case, home, work, start, answered, outcome)
            except (AssertionError, OSError, http.client.HTTPException) as error:
                found = [f"{type(error).__name__}: {str(error)[:900]}"]
            outcome.problems += [f"{kind}: {case}: {problem}" for problem in found]
    return outcome


def _look(case: Case, home: Path, work: Path, start: Start, answered: bool, outcome: Outcome) -> list[str]:
    known = case.known
    checks.age(home)
    with controlled(work) as control:
        server = start(home, control)
        if case.again and isinstance(server, Forked):
            server.begin()
            control.arm(case.again, KILL, server.group)
            deadline = time.monotonic() + 60
            while not server.is_dead() and not server.is_up() and time.monotonic() < deadline:
                time.sleep(0.005)
            control.disarm()
            server.end()
            outcome.kills += 1
            outcome.restarts += 1
            checks.age(home)
        server = ready(known.action, start(home, control))
        outcome.restarts += 1
        wait_for_jobs(home)
        if any(problem.startswith("stray") for problem in checks.problems(home)):
            server.end()  # what was put back by this start is young, and swept by one an hour later
            checks.age(home)
            server = ready(known.action, start(home, control))
            outcome.restarts += 1
        try:
            found = checks.problems(home)
            now = checks.state(home)
            found += _judge(known, now, answered)
            found += _pictures(server, home)
            found += _do_again(known, server, home, done=now == known.after)
        finally:
            server.end()
    return found


def _judge(known: Known, now: checks.State, answered: bool) -> list[str]:
    if now == known.after or (now == known.before and not answered):
        return []
    if known.action.job and checks.essence(now) == checks.essence(known.after):
        return []
    if not answered and known.action.loose:
        return [extra] if (extra := strangers(now, known)) else []
    if not answered and checks.essence(now) == checks.essence(known.before):
        return []  # a job that was begun and given up, properly
    wrong = "an answered decision is not there" if answered else "half of it is there"
    than = known.after if answered else known.before
    return [f"{wrong}: {checks.difference(than, now)}"]


def strangers(now: checks.State, known: Known) -> str:
    """Faces that neither were there nor have been sent, in words; empty when there are none."""
    some, whole = (set(map(str, checks.essence(state)["faces"])) for state in (now, known.after))
    return f"faces that nobody sent: {some - whole}" if some - whole else ""


def _do_again(known: Known, server: Counted | Forked, home: Path, *, done: bool) -> list[str]:
    status, answer = known.action.send(server)
    if known.action.job:
        wait_for_jobs(home)
    found = checks.problems(home)
    allowed = known.action.again if done else {*known.action.again, 200, 202}
    if status not in allowed:
        found.append(f"done again, it was answered with {status} {answer}")
    if not done and known.action.job:
        if checks.essence(checks.state(home)) != checks.essence(known.after):
            found.append(f"done again, it is not done: {checks.difference(known.after, checks.state(home))}")
    elif not done and checks.state(home) != known.after:
        found.append(f"done again, it is not done: {checks.difference(known.after, checks.state(home))}")
    return [f"afterwards, {problem}" for problem in found]


def _pictures(server: Counted | Forked, home: Path) -> list[str]:
    """Pages show a picture of every face and photo."""
    faces = rows(
        home,
        "SELECT faces.id AS face, photos.id AS photo FROM faces JOIN photos ON photos.id = photo_id"
        " WHERE photos.state = 'live' AND status != 'removed'",
    )
    addresses = [
        address for row in faces for address in (f"/faces/{row['face']}/thumb.jpg", f"/photos/{row['photo']}/image.jpg")
    ]
    found = []
    for address in dict.fromkeys(addresses):
        status, data = server.get_bytes(address)
        try:
            assert status == 200, status
            Image.open(BytesIO(data)).load()
        except (AssertionError, OSError) as error:
            found.append(f"{address} shows no picture: {error}")
    return found


def ready(action: Action, server: Counted | Forked) -> Counted | Forked:
    """The server, started, with all that the action needs of it."""
    server.start()
    if action.job:
        server.help_with_jobs()
    return server


def _do(server: Counted | Forked, action: Action) -> int | None:
    """The status, once all of it has been done; None when the server died before it answered."""
    try:
        status, _answer = action.send(server)
    except (OSError, http.client.HTTPException):
        return None
    if action.job:
        wait_for_jobs(server.home, server)
    return status


def wait_for_jobs(home: Path, server: Counted | Forked | None = None) -> None:
    """Until every job has ended, or the server is dead."""
    deadline = time.monotonic() + 60
    while rows(home, _UNFINISHED)[0]["n"] and not (server is not None and server.is_dead()):
        assert time.monotonic() < deadline, "a job does not end"
        time.sleep(0.02)


@contextmanager
def copied(template: Path | None, work: Path) -> Iterator[Path]:
    """A home for one case: a copy of the template, or an empty one."""
    with tempfile.TemporaryDirectory(prefix="home-", dir=work) as folder:
        home = Path(folder, "home")
        if template is None:
            home.mkdir()
        else:
            shutil.copytree(template, home, symlinks=True)
        yield home
        shutil.rmtree(metrics.in_memory(config.load(home)), ignore_errors=True)  # nobody starts there again


@contextmanager
def controlled(work: Path) -> Iterator[Control]:
    with tempfile.TemporaryDirectory(prefix="control-", dir=work) as folder:
        control = Control(Path(folder))
        try:
            yield control
        finally:
            control.close()


def short(path: str, home: Path) -> str:
    """A path as a reader wants it: without the home, and without what differs from run to run."""
    return re.sub(r"[0-9a-f]{8,}", "*", path.replace(f"{home}/", ""))
