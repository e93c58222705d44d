"""What came of the inputs, and the violations among it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

INSIDE = re.compile(r"/tmp|/home|/root|/usr|/proc|\.py\b|Traceback|site-packages|instance/|Error\b|0x[0-9a-f]{6}")
"""Nothing of which belongs into a message."""


@dataclass
class Tally:
    """outcomes: by kind of input. slowest: seconds, and of what. peak: MB of a process at most, by process. replaced:
    inputs that took their decoder down, and how: no violation, but what decoding apart is for."""

    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    slowest: tuple[float, str] = (0.0, "")
    peak: Counter[str] = field(default_factory=Counter)
    replaced: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    keep: Path | None = None
    """a folder for the inputs that were violations"""

    @property
    def inputs(self) -> int:
        return sum(outcomes.total() for outcomes in self.outcomes.values())

    def add(self, kind: str, outcome: str, seconds: float, name: str) -> None:
        self.outcomes[kind][outcome] += 1
        self.slowest = max(self.slowest, (seconds, f"{kind} {name}"))

    def violated(self, what: str, name: str, data: bytes) -> None:
        self.violations.append(f"{name}: {what}")
        if self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)
            (self.keep / re.sub(r"\W+", "-", name)).write_bytes(data)

    def table(self) -> str:
        """In Markdown."""
        kinds = sorted({outcome for outcomes in self.outcomes.values() for outcome in outcomes})
        lines = [f"| what | inputs | {' | '.join(kinds)} |", "|---" * (len(kinds) + 2) + "|"]
        for kind, outcomes in self.outcomes.items():
            cells = (f"{outcomes[outcome]:,}" if outcomes[outcome] else "" for outcome in kinds)
            lines.append(f"| {kind} | {outcomes.total():,} | {' | '.join(cells)} |")
        seconds, name = self.slowest
        peaks = "; ".join(f"{process} {peak} MB" for process, peak in self.peak.items())
        lines += [
            "",
            f"{self.inputs:,} inputs. Slowest: {seconds:.2f} s ({name}). Peak memory: {peaks or 'not measured'}.",
            f"Processes that decode replaced: {len(self.replaced)}. Violations: {len(self.violations)}.",
            *self.replaced,
            *self.violations[:50],
        ]
        return "\n".join(lines)


def status(process: int | str, name: str) -> int:
    """A figure of /proc/PROCESS/status, in MB; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith(f"{name}:")), 0)
