"""A disk that will not: full, read-only, or closed to new names, at each step of an action.

The answer says so in words, nothing has changed, and it works once the disk does. The server is the same all the way:
a refusal must leave nothing behind that the next request trips over.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import checks, killing
from tests.faults.control import FILLED, FULL, READ_ONLY, REFUSED
from tests.faults.killing import Known, Start, controlled, copied, ready, short, wait_for_jobs
from tests.faults.serving import Counted, Forked

WORDS = {FILLED: "disk full", FULL: "disk full (injected)", READ_ONLY: "read-only disk", REFUSED: "read-only folder"}
_NAMING = ("create", "rename", "replace", "link", "unlink", "mkdir", "rmdir")
_STATUSES = {FILLED: (507,), FULL: (507,), READ_ONLY: (503, 507), REFUSED: (503, 507)}
_SIZE_OF_FULL_DISK = 16 << 20


@dataclass
class Refused:
    """cases: how many steps the disk refused; answered: how often by each status. problems: what went wrong."""

    cases: int = 0
    answered: dict[int, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def steps_of(known: Known, what: int) -> list[int]:
    """The steps that such a disk can refuse: one that is closed to new names still takes bytes."""
    numbered = enumerate(known.steps, 1)
    return [step for step, name in numbered if what != REFUSED or name.partition(" ")[0] in _NAMING]


def refuse(known: Known, steps: list[int], what: int, template: Path, work: Path, start: Start) -> Refused:
    """Have the disk refuse each of these steps in turn. work: a small disk of its own for FILLED."""
    refused = Refused()
    left = list(steps)
    while left:
        with controlled(work.parent if what == FILLED else work) as control, copied(template, work) as home:
            server = ready(known.action, start(home, control))
            try:
                while left:
                    step = left.pop(0)
                    control.arm(step, what, server.group)
                    done = _ask(known, step, what, server, refused)
                    control.disarm()
                    (home / "filler").unlink(missing_ok=True)
                    if done or not _is_as_before(known, step, what, server, refused):
                        break  # what is there now is another start
                else:
                    _do_once_more(known, what, server, refused)
            finally:
                server.end()
    return refused


def _ask(known: Known, step: int, what: int, server: Counted | Forked, refused: Refused) -> bool:
    """Whether it was done in spite of it, because the step was not needed for it."""
    refused.cases += 1
    status, answer = known.action.send(server)
    where = _where(known, step, what, server)
    refused.answered[status] = refused.answered.get(status, 0) + 1
    if status < 300:
        return True
    if status not in _STATUSES[what]:
        refused.problems.append(f"{where}: answered with {status} {answer}")
    elif not isinstance(answer, dict) or len(answer["message"]) < 20 or str(server.home) in str(answer):
        refused.problems.append(f"{where}: not in words: {answer}")
    return False


def _is_as_before(known: Known, step: int, what: int, server: Counted | Forked, refused: Refused) -> bool:
    """A disk that became read-only half-way keeps what was half done until something can be changed again."""
    where = _where(known, step, what, server)
    status, answer = server.post("/undo/", decision_id="999999")
    if status != 404:
        refused.problems.append(f"{where}: then another request was answered with {status} {answer}")
    if known.action.job:
        wait_for_jobs(server.home)
    now = checks.state(server.home)
    if what == READ_ONLY:  # it could not be removed, and is once it is old
        now["files"] = {path: digest for path, digest in now["files"].items() if "/.incoming-" not in path}
    same = now == known.before or (known.action.job and checks.essence(now) == checks.essence(known.before))
    if known.action.loose:
        if extra := killing.strangers(now, known):
            refused.problems.append(f"{where}: {extra}")
    elif not same:
        refused.problems.append(f"{where}: something has changed: {checks.difference(known.before, now)}")
    return same


def _where(known: Known, step: int, what: int, server: Counted | Forked) -> str:
    """The step that was refused last; on a disk that was filled there is no such step, but one from which on it is."""
    refusals = [path for _step, name, path, *_ in server.control.records() if name == "refused"]
    place = short(refusals[-1], server.home) if refusals else f"step {step}"
    return f"{WORDS[what]}: {known.action.name}, at {place}"


def _do_once_more(known: Known, what: int, server: Counted | Forked, refused: Refused) -> None:
    status, answer = known.action.send(server)
    if known.action.job:
        wait_for_jobs(server.home)
    found = [] if status < 300 else [f"answered with {status} {answer}"]
    checks.age(server.home)
    now = checks.state(server.home)
    if now != known.after and not (known.action.job and checks.essence(now) == checks.essence(known.after)):
        found.append(checks.difference(known.after, now))
    refused.problems += [f"{WORDS[what]}: {known.action.name}, once there is room: {problem}" for problem in found]


@contextmanager
def small_disk(work: Path) -> Iterator[Path | None]:
    """A disk of a few megabytes; None where this process may not mount one."""
    mount, libc = work / "small disk", ctypes.CDLL(None, use_errno=True)
    mount.mkdir()
    if libc.mount(b"tmpfs", os.fsencode(mount), b"tmpfs", 0, f"size={_SIZE_OF_FULL_DISK}".encode()):
        yield None
        return
    try:
        yield mount
    finally:
        with suppress(OSError):
            libc.umount2(os.fsencode(mount), 2)
