"""How well a folder of people would be told apart: encoded as `flask encode` does it, asked, and put into words.

The store is neither read nor written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.config import Settings
from app.errors import InvalidInput
from app.labelling import encoding
from app.labelling.encoding import Encoded
from app.labelling.workspace import method_of
from app.recognition import evaluation
from app.recognition.engine import Engine
from app.recognition.evaluation import Faces, Row
from app.recognition.images import Photo
from app.recognition.metrics import RESAMPLES, Estimate
from app.recognition.systems import LinearSVM, Namesake, NearestNeighbours, Original, System
from app.store import files
from app.store.artifact import ENCODING_SIZE
from app.store.partial import Partial

HEADINGS = {"rank_1": "rank-1", "dir_at_fpir_1": "DIR at FPIR 1%", "dir_at_fpir_10": "DIR at FPIR 10%", "ece": "ECE"}
_PEOPLE, _STRANGERS = "people", "strangers"


@dataclass(frozen=True)
class Gathered:
    """strange: the image paths of the faces that are never to be known."""

    encoded: Encoded
    strange: frozenset[str]

    @property
    def faces(self) -> Faces:
        entries = self.encoded.entries
        return Faces.of(
            np.array([entry.encoding for entry in entries]).reshape(-1, ENCODING_SIZE),
            [entry.name for entry in entries],
            [entry.image_path in self.strange for entry in entries],
        )


def gather(
    folder: Path,
    engine: Engine,
    decode: Callable[[bytes], Photo],
    partial: Partial,
    watch: Callable[[int, int], None],
) -> Gathered:
    """The most prominent face of every photo in a labelled folder, or in one that holds `people`, which is such a
    folder, and perhaps `strangers`: there a file is a person, and so is a folder.

    The rest is as for encoding.encode_folder. Raises InvalidInput.
    """
    strangers: list[encoding.File] = []
    if (folder / _PEOPLE).is_dir():
        people = files.labelled_files(folder / _PEOPLE)
        strangers = _numbered(folder / _STRANGERS)
    else:
        people = files.labelled_files(folder)
    encoded = encoding.encode_files(people + strangers, folder, engine, decode, partial, watch=watch)
    return Gathered(encoded, frozenset(path.as_posix() for path, _label in strangers))


def _numbered(folder: Path) -> list[encoding.File]:
    """Names that no file name can make unfit: what strangers are called does not matter."""
    found = [path for path, _label in files.labelled_files(folder)]
    owners = [path.relative_to(folder).parts[0] for path in found]
    numbers = {owner: number for number, owner in enumerate(dict.fromkeys(owners), start=1)}
    return [(path, f"stranger {numbers[owner]}") for path, owner in zip(found, owners, strict=True)]


def systems(settings: Settings) -> list[System]:
    """Namesake as it is set up, and what it is compared with."""
    return [Namesake(method_of(settings)), Original(), NearestNeighbours(), LinearSVM()]


def evaluate(faces: Faces, compared: Sequence[System], watch: Callable[[int, int], None]) -> list[Row]:
    """As evaluation.evaluate. Raises InvalidInput when there are too few people for a single row."""
    rows = evaluation.evaluate(faces, compared, watch=watch)
    if not rows:
        raise InvalidInput(
            "Nobody can be asked for: it takes two people at least with two different photos each, a face on every one."
        )
    return rows


def as_json(rows: Sequence[Row], **about: Any) -> dict[str, Any]:
    """The rows for other programs: figures that are not defined are null, intervals are at 95 %.

    about: whatever else is to be said about them, first.
    """
    fixed = {"seed": evaluation.SEED, "resamples": RESAMPLES}
    return {**about, **fixed, "rows": [dataclasses.asdict(row) for row in rows]}


def as_markdown(rows: Sequence[Row]) -> str:
    """The rows as people read them: one table for every number of labelled photos."""
    tables = [f"{_circumstances(row)}\n\n{_table(row)}" for row in rows]
    return "\n\n".join([*tables, "In brackets: 95 % confidence intervals, from drawing people anew."])


def _circumstances(row: Row) -> str:
    photos = "1 labelled photo" if row.labelled_photos == 1 else f"{row.labelled_photos} labelled photos"
    asked = f"{row.questions:,} questions about {row.people:,} known people"
    strangers = f", {row.strange_questions:,} about {row.strangers:,} strangers" if row.strangers else ", no strangers"
    turns = f", {row.withheld:,} of the people kept out of each to be strangers in turn" if row.withheld else ""
    draws = "1 draw" if row.draws == 1 else f"{row.draws} draws"
    return f"**{photos} a person**: {asked}{strangers}, in {draws}{turns}."


def _table(row: Row) -> str:
    lines = [["system", *HEADINGS.values()]]
    lines += [[system, *(_figure(figures[name]) for name in HEADINGS)] for system, figures in row.figures.items()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines)


def _figure(estimate: Estimate | None) -> str:
    return "–" if estimate is None else f"{estimate.value:.3f} ({estimate.low:.3f}–{estimate.high:.3f})"
