"""Documents that hold what was measured, between two markers."""

from __future__ import annotations

from pathlib import Path

BEGIN = "<!-- table: begin -->"
END = "<!-- table: end -->"


def write_between_markers(file: Path, text: str) -> None:
    """Replace what lies between BEGIN and END. Raises ValueError when the file lacks either."""
    old = file.read_text("utf-8")
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{file} has no place for the table: {BEGIN} and {END}.")
    file.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")
