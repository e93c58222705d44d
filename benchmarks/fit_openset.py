"""Fit the two numbers in app/recognition/openset.py that say how far one can trust a distance.

    python -m benchmarks.fit_openset FOLDER [--cache FILE]

FOLDER holds people/<name>/*.jpg and strangers/*.jpg. Half of the people and half of the strangers are fitted
on, the others are checked on. Galleries are drawn at random: of 2 to all of the people, with 1, 3 or 5 photos
each, and up to half of the strangers, who so become known by their only photo and make the gallery larger.
The photos left over ask who they are, and so do the other strangers, who weigh as much together as the known
faces do.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from app.config import PROJECT
from app.recognition import metrics
from app.recognition.engine import Eyesight, load_engine, most_prominent
from app.recognition.images import decode
from app.recognition.propagation import (
    Projection,
    class_probabilities,
    rbf_log_weights,
    squared_distances,
)

STRANGER = "?"
SHOTS = (1, 3, 5)
DRAWS = 40


@dataclass(frozen=True)
class Answers:
    """One row a question: the best name's probability by propagation, its nearest distance, is it right."""

    probability: NDArray[np.float64]
    distance: NDArray[np.float64]
    right: NDArray[np.bool_]
    known: NDArray[np.bool_]

    @property
    def weights(self) -> NDArray[np.float64]:
        """Known faces and strangers weigh a half each."""
        return np.where(self.known, 0.5 / self.known.sum(), 0.5 / (~self.known).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path, help="where the encodings are kept between runs (.npz)")
    parser.add_argument("--variance", type=float, default=0.99)
    parser.add_argument("--gamma", type=float, default=40.0)
    options = parser.parse_args()

    encodings, names = load(options.folder, options.cache)
    rng = np.random.default_rng(0)
    fitting, checking = halves(names, rng)

    def ask(half: NDArray[np.intp], shots: int, whole: bool) -> Answers:
        drawn = questions(names, half, shots, whole, rng)
        answers = [answer(encodings, names, *draw, options.variance, options.gamma) for draw in drawn]
        return join(answers)

    fitted = join([ask(fitting, shots, whole=False) for shots in SHOTS])
    intercept, slope = fit(fitted)
    print(f"_INTERCEPT, _SLOPE = {intercept:.2f}, {slope:.2f}")
    for label, whole in (("the largest galleries", True), ("galleries of all sizes", False)):
        print(f"checked on the other half, {label}:")
        for shots in SHOTS:
            report(ask(checking, shots, whole), shots, intercept, slope)


def load(folder: Path, cache: Path | None) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    """encodings (n, 128) of the most prominent faces, names (n,)."""
    if cache and cache.exists():
        kept = np.load(cache)
        return kept["encodings"], kept["names"]
    engine = load_engine("onnx", Eyesight(), PROJECT / "instance" / "models")
    encodings, names = [], []
    for path in sorted(folder.glob("people/*/*.jpg")) + sorted(folder.glob("strangers/*.jpg")):
        photo = decode(path.read_bytes(), max_pixels=100_000_000)
        faces = engine.faces(photo)
        if not faces:
            continue
        face = faces[most_prominent([face.box for face in faces], photo.width, photo.height)]
        encodings.append(face.encoding)
        names.append(STRANGER + path.stem if path.parent.name == "strangers" else path.parent.name)
    if cache:
        np.savez(cache, encodings=encodings, names=names)
    return np.array(encodings), np.array(names)


def halves(names: NDArray[np.str_], rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of one half of the people and strangers, and of the other: nobody is in both."""
    everyone = np.unique(names)
    strange = np.char.startswith(everyone, STRANGER)
    first: list[str] = []
    for group in (everyone[~strange], everyone[strange]):
        first += list(rng.permutation(group)[: len(group) // 2])
    chosen = np.isin(names, first)
    return np.flatnonzero(chosen), np.flatnonzero(~chosen)


def questions(
    names: NDArray[np.str_], half: NDArray[np.intp], shots: int, whole: bool, rng: np.random.Generator
) -> Iterator[tuple[list[int], list[int]]]:
    """Draws of (labelled rows, asking rows)."""
    strange = np.char.startswith(names[half], STRANGER)
    rows = {name: half[names[half] == name] for name in sorted(set(names[half[~strange]]))}
    people = [name for name, own in rows.items() if len(own) > shots]
    for _ in range(DRAWS):
        size = len(people) if whole else rng.integers(2, len(people) + 1)
        strangers = list(rng.permutation(half[strange]))
        enrolled = len(strangers) // 2 if whole else rng.integers(0, len(strangers) // 2 + 1)
        labelled, asking = strangers[:enrolled], strangers[enrolled:]
        for name in rng.choice(people, size, replace=False):
            own = list(rng.permutation(rows[name]))
            labelled += own[:shots]
            asking += own[shots:]
        yield labelled, asking


def answer(
    encodings: NDArray[np.float32],
    names: NDArray[np.str_],
    labelled: list[int],
    asking: list[int],
    variance: float,
    gamma: float,
) -> Answers:
    gallery = encodings[labelled].astype(np.float64)
    queries = encodings[asking].astype(np.float64)
    people, codes = np.unique(names[labelled], return_inverse=True)
    projection = Projection.fit(gallery, variance)
    weights = rbf_log_weights(projection.transform(queries), projection.transform(gallery), gamma)
    probabilities = class_probabilities(weights, codes, len(people))
    best = probabilities.argmax(axis=1)
    theirs = np.where(codes == best[:, np.newaxis], squared_distances(queries, gallery), np.inf)
    return Answers(
        probabilities.max(axis=1),
        np.sqrt(theirs.min(axis=1)),
        people[best] == names[asking],
        np.isin(names[asking], people),
    )


def join(answers: list[Answers]) -> Answers:
    fields = ("probability", "distance", "right", "known")
    return Answers(*(np.concatenate([getattr(answer, field) for answer in answers]) for field in fields))


def confidence(answers: Answers, intercept: float, slope: float) -> NDArray[np.float64]:
    return answers.probability / (1 + np.exp(-(intercept + slope * answers.distance)))


def fit(answers: Answers) -> tuple[float, float]:
    """The coefficients under which what happened was likeliest."""

    def loss(coefficients: NDArray[np.float64]) -> float:
        sure = np.clip(confidence(answers, *coefficients), 1e-9, 1 - 1e-9)
        return -float(np.sum(answers.weights * np.log(np.where(answers.right, sure, 1 - sure))))

    found = minimize(loss, [10.0, -20.0], method="Nelder-Mead", options={"maxiter": 1000})
    return float(found.x[0]), float(found.x[1])


def report(answers: Answers, shots: int, intercept: float, slope: float) -> None:
    sure = confidence(answers, intercept, slope)
    scored = metrics.Answers(answers.right, answers.known, sure)
    once = metrics.once_each(scored)
    print(f"  {shots} photos a person: ECE {metrics.expected_calibration_error(scored, once):.3f}", end="")
    for rate in (0.01, 0.10):
        print(f", DIR at FPIR {rate:.0%} {metrics.dir_at_fpir(rate)(scored, once):.3f}", end="")
    strangers = sure[~answers.known]
    wrong = answers.known & ~answers.right & (sure >= 0.5)
    right = answers.known & answers.right & (sure >= 0.5)
    print(
        f"; at 0.5: known named right {right.sum() / answers.known.sum():.3f},"
        f" wrong {wrong.sum() / answers.known.sum():.3f}, strangers named {np.mean(strangers >= 0.5):.3f}"
    )


if __name__ == "__main__":
    main()
