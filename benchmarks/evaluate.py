"""How well people are told apart whom the shipped confidence was not fitted on, and whether that is well enough.

    python -m benchmarks.evaluate FOLDER [--output FILE]

FOLDER holds people/<name>/*.jpg and strangers/*.jpg. Half of the people and half of the strangers are asked: those
that benchmarks/fit_openset.py only checks on. Prints a table for every number of labelled photos; ends with code 1
when a floor is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.config import Settings
from app.errors import NamesakeError
from app.labelling import evaluating
from app.labelling.evaluating import Gathered
from app.recognition.evaluation import SHOTS, Faces, Row
from app.recognition.systems import Namesake
from benchmarks.documents import write_between_markers
from benchmarks.faces import STRANGER, counting, gather, halves, named


@dataclass(frozen=True)
class Floor:
    """What a figure of Namesake must be with so many labelled photos: at least, or at most where less is better."""

    labelled_photos: int
    figure: str
    limit: float
    at_most: bool = False

    def holds(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit


FLOORS = (
    Floor(1, "rank_1", 0.96),
    Floor(1, "dir_at_fpir_1", 0.78),
    Floor(3, "rank_1", 0.99),
    Floor(3, "dir_at_fpir_1", 0.94),
    Floor(5, "rank_1", 0.993),
    Floor(5, "dir_at_fpir_1", 0.96),
    *(Floor(shots, "ece", 0.02, at_most=True) for shots in SHOTS),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, help="a document with markers, between which the tables go")
    options = parser.parse_args()
    settings = Settings()
    try:
        faces = the_other_half(gather(options.folder, settings))
        rows = evaluating.evaluate(faces, evaluating.systems(settings), counting("answers"))
    except NamesakeError as error:
        print(error.message, file=sys.stderr)
        return 1
    missed = list(misses(rows))
    text = evaluating.as_markdown(rows)
    print(text, *missed, sep="\n\n")
    if options.output:
        write_between_markers(options.output, text)
    return 1 if missed else 0


def the_other_half(gathered: Gathered) -> Faces:
    """The faces that were not fitted on."""
    encodings, names = named(gathered)
    _fitted_on, others = halves(names, np.random.default_rng(0))
    return Faces.of(encodings[others], names[others].tolist(), np.char.startswith(names[others], STRANGER))


def misses(rows: Sequence[Row]) -> Iterator[str]:
    """What is not well enough, in words."""
    by_photos = {row.labelled_photos: row for row in rows}
    for floor in FLOORS:
        row = by_photos.get(floor.labelled_photos)
        estimate = row and row.figures[Namesake.name][floor.figure]
        if estimate is None or not floor.holds(estimate.value):
            figure = f"{evaluating.HEADINGS[floor.figure]} with {floor.labelled_photos} labelled"
            found = "not measured" if estimate is None else f"{estimate.value:.6g}"
            yield f"MISSED: {figure} is {found}, {'at most' if floor.at_most else 'at least'} {floor.limit:g} is asked."


if __name__ == "__main__":
    sys.exit(main())
