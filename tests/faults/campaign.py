"""Many cases of every action, on as many servers at once as there are processors, and what came of them."""

from __future__ import annotations

import random
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tests.faults import killing, refusing, scenes
from tests.faults.control import FILLED, FULL, READ_ONLY, REFUSED, Control
from tests.faults.scenes import Scenes
from tests.faults.serving import Counted, Forked
from tests.faults.zygote import Zygote

LANES = 2
# A job is worked off in its own time: so many of its steps are enough.
_STEPS_OF_A_JOB = 30
# Memory where there is some to be had: nothing here waits for a disk.
_FAST = Path("/dev/shm")


@dataclass
class Report:
    kills: int = 0
    at_gunicorn: int = 0
    """of these, how many killed gunicorn as anyone starts it"""
    power_cuts: int = 0
    restarts: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """cases, by what the disk did"""
    answered: Counter[int] = field(default_factory=Counter)
    """how these were answered"""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def kinds(self) -> Counter[str]:
        return Counter(problem.partition(":")[0].partition(",")[0] for problem in self.problems)

    def lines(self) -> list[str]:
        """For a person to read."""
        refused = [f"{what}: {count} cases" for what, count in self.refused.items()]
        answered = ", ".join(f"{count} x {status}" for status, count in sorted(self.answered.items()))
        return [
            *self.notes,
            f"kills: {self.kills}, of which {self.at_gunicorn} of gunicorn with its consumer as anyone starts it",
            f"power cuts: {self.power_cuts}",
            f"restarts: {self.restarts}",
            *refused,
            f"answers on such disks: {answered or 'none'}",
            *(f"violations, {kind}: {count}" for kind, count in sorted(self.kinds().items())),
            f"violations: {len(self.problems)}",
        ]


class Campaign:
    """say: is told how far it is."""

    def __init__(self, seed: int, say: Callable[[str], None] = lambda _line: None) -> None:
        self.report = Report()
        self._rng = random.Random(seed)
        self._say = say
        self._stack = ExitStack()
        folder = _FAST if _FAST.is_dir() else None
        self._work = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-", dir=folder)))
        self._lock = threading.Lock()

    def __enter__(self) -> Campaign:
        zygotes = [Zygote(self._work / f"zygote-{number}.log") for number in range(LANES)]
        for zygote in zygotes:
            self._stack.callback(zygote.close)
        self._free = list(zygotes)
        self._scenes = scenes.squares(self._work / "squares")
        self._actions = {action.name: action for action in self._scenes.actions}
        return self

    def keep(self, *names: str) -> None:
        """Leave out the other actions."""
        self._actions = {name: self._actions[name] for name in names}

    @cached_property
    def _known(self) -> dict[str, killing.Known]:
        known = {
            name: killing.learn(action, self._scenes.templates[action.start], self._work, self._fork)
            for name, action in self._actions.items()
        }
        self._say(f"steps: {', '.join(f'{name} {len(one.steps)}' for name, one in known.items())}")
        return known

    def __exit__(self, *_raised: object) -> None:
        self._stack.close()

    def kill(self, kills: int) -> None:
        """At least so many kills, spread over all actions."""
        lists = []
        for known in self._known.values():
            cases = killing.cases_of(known, self._rng)
            *others, answer = cases
            self._rng.shuffle(others)
            lists.append([answer, *(others[: _STEPS_OF_A_JOB - 1] if known.action.job else others)])
        total = sum(map(len, lists))
        while total < kills:
            for known in self._known.values():
                more = self._rng.sample(killing.cases_of(known, self._rng), 2)
                lists.append(more)
                total += len(more)
        # As many of each as its share, and always the one after the answer.
        chosen = [case for cases in lists for case in cases[: max(1, -(-len(cases) * kills // total))]]
        self._run_all(chosen, self._scenes, self._fork)

    def kill_gunicorn(self, times: int, sample: dict[str, Path], models: Path) -> None:
        """As often for each action, the last time after the answer, with real photos and the real networks."""
        found = scenes.real(self._work / "real", sample, models)

        def start(home: Path, control: Control) -> Counted:
            return Counted(home, control, models)

        def learn(action: scenes.Action) -> killing.Known:
            return killing.learn(action, found.templates[action.start], self._work, start)

        before = self.report.kills
        with ThreadPoolExecutor(LANES) as pool:
            cases = []
            for known in pool.map(learn, found.actions):
                *others, answer = killing.cases_of(known, self._rng)
                cases += [*self._rng.sample(others, times - 1), answer]
        self._run_all(cases, found, start)
        self.report.at_gunicorn = self.report.kills - before

    def refuse(self, share: float = 1.0) -> None:
        """Disks that are full, read-only or closed to new names, at this share of the steps of every action."""
        with refusing.small_disk(self._work) as small:
            if small is None:
                self.report.notes.append("No small disk could be mounted: a full one is only pretended.")
            for known in self._known.values():
                for what in (FILLED, FULL, READ_ONLY, REFUSED):
                    if what != FILLED or small is not None:
                        self._refuse(known, what, share, small if what == FILLED and small else self._work)

    def _refuse(self, known: killing.Known, what: int, share: float, work: Path) -> None:
        steps = refusing.steps_of(known, what)
        most = _STEPS_OF_A_JOB if known.action.job else len(steps)
        some = sorted(self._rng.sample(steps, max(1, min(most, round(len(steps) * share)))))
        template = self._scenes.templates[known.action.start]
        refused = refusing.refuse(known, some, what, template, work, self._fork)
        self.report.refused[refusing.WORDS[what]] += refused.cases
        self.report.answered.update(refused.answered)
        self._tell(refused.problems)
        self._say(f"{refusing.WORDS[what]}, {known.action.name}: {refused.cases} cases")

    def _run_all(self, cases: Sequence[killing.Case], found: Scenes, start: killing.Start) -> None:
        def run(case: killing.Case) -> None:
            outcome = killing.run(case, found.templates[case.known.action.start], self._work, start)
            with self._lock:
                self.report.kills += outcome.kills
                self.report.restarts += outcome.restarts
                self.report.power_cuts += 1
                self._tell(outcome.problems)
                if self.report.power_cuts % 25 == 0:
                    self._say(f"{self.report.kills} kills")

        with ThreadPoolExecutor(LANES) as pool:
            list(pool.map(run, cases))

    def _tell(self, problems: Sequence[str]) -> None:
        self.report.problems += problems
        for problem in problems:
            self._say(f"VIOLATION {problem}")

    def _fork(self, home: Path, control: Control) -> Forked:
        with self._lock:
            self._free.append(self._free.pop(0))
            return Forked(home, control, self._free[0])
