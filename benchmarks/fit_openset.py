"""Fit the numbers in app/recognition/familiarity.py that tell someone known from someone new.

    python -m benchmarks.fit_openset FOLDER

FOLDER holds people/<name>/*.jpg and strangers/*.jpg. Half of the people and half of the strangers are fitted on; make
evaluate checks on the others. Galleries are drawn at random, with 1, 2, 3 or 5 photos a person: every other one of all
the people, the rest of 2 people and more, with up to half of the strangers among them, who so become known by their
only photo. The photos left over ask who they are, and so do the other strangers, who weigh as much together as the
known faces do.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from app.config import Settings
from app.recognition import familiarity
from app.recognition.evaluation import SHOTS
from app.recognition.gallery import Change, Gallery
from app.recognition.openset import Recogniser
from benchmarks.faces import STRANGER, Names, Rows, gather, halves, named

DRAWS = 24
_RIDGE = 1e-4


@dataclass(frozen=True)
class Asked:
    """One row a question: the best name's chance, the measurements, whether it was right, and what it weighs."""

    chances: NDArray[np.float64]
    measured: NDArray[np.float64]
    right: NDArray[np.bool_]
    weights: NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_openset", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    encodings, names = named(gather(options.folder, Settings()))
    rng = np.random.default_rng(0)
    fitting, _others = halves(names, rng)
    asked = [ask(encodings, names, *draw) for shots in SHOTS for draw in draws(names, fitting, shots, rng)]
    weights = fit(asked)
    print(f"_SHIPPED = ({weights.intercept:.2f}, {', '.join(f'{slope:.2f}' for slope in weights.slopes)})")
    print("for: 1, " + ", ".join(familiarity.MEASUREMENTS))


def draws(names: Names, half: Rows, shots: int, rng: np.random.Generator) -> Iterator[tuple[list[int], list[int]]]:
    """(labelled rows, asking rows)"""
    strange = np.char.startswith(names[half], STRANGER)
    rows = {name: half[names[half] == name] for name in sorted(set(names[half[~strange]].tolist()))}
    people = [name for name, own in rows.items() if len(own) > shots]
    for number in range(DRAWS):
        strangers = rng.permutation(half[strange]).tolist()
        whole = number % 2 == 0
        size = len(people) if whole else int(rng.integers(2, len(people) + 1))
        enrolled = 0 if whole else int(rng.integers(0, len(strangers) // 2 + 1))
        labelled, asking = strangers[:enrolled], strangers[enrolled:]
        for name in rng.choice(people, size, replace=False).tolist():
            own = rng.permutation(rows[name]).tolist()
            labelled += own[:shots]
            asking += own[shots:]
        yield labelled, asking


def ask(encodings: NDArray[np.float32], names: Names, labelled: list[int], asking: list[int]) -> Asked:
    """What the product measures of each asking face."""
    people, codes = np.unique(names[labelled], return_inverse=True)
    gallery = Gallery()
    faces = zip(labelled, codes.tolist(), strict=True)
    gallery.apply([Change(row, code, encodings[row]) for row, code in faces], revision=1)
    best, chances, measured = Recogniser(gallery).measure(encodings[asking])
    known = np.isin(names[asking], people)
    weights = np.where(known, 0.5 / known.sum(), 0.5 / (~known).sum())
    return Asked(chances, measured, people[best] == names[asking], weights)


def fit(asked: list[Asked]) -> familiarity.Weights:
    """The weights under which what happened was likeliest."""
    chances, right, weights = (
        np.concatenate([getattr(one, name) for one in asked]) for name in ("chances", "right", "weights")
    )
    measured = np.concatenate([one.measured for one in asked])
    middle, spread = measured.mean(axis=0), measured.std(axis=0)
    columns = np.column_stack([np.ones(len(measured)), (measured - middle) / spread])
    weights = weights / weights.sum()

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        familiar = familiarity.logistic(columns @ values)
        named = np.clip(chances * familiar, 1e-9, 1 - 1e-9)
        slope = np.where(right, 1 - familiar, -named * (1 - familiar) / (1 - named))
        penalty = _RIDGE * np.r_[0.0, values[1:]]
        likelihood = np.sum(weights * np.log(np.where(right, named, 1 - named)))
        return float(penalty @ values / 2 - likelihood), penalty - columns.T @ (weights * slope)

    found = minimize(loss, np.zeros(columns.shape[1]), jac=True, method="L-BFGS-B").x
    slopes = found[1:] / spread
    return familiarity.Weights(float(found[0] - slopes @ middle), tuple(slopes.tolist()))


if __name__ == "__main__":
    main()
