"""What is compared in an evaluation: Namesake as it answers, and what else one would build from these encodings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from app.recognition.gallery import Change, Gallery
from app.recognition.openset import METHOD, Method, Recogniser
from app.recognition.propagation import Codes, Floats, Projection, class_probabilities, rbf_log_weights
from app.recognition.quiet import quiet


@dataclass(frozen=True, eq=False)
class Prediction:
    """best: (m,), the code of the best name. score: (m,), the higher, the surer. is_probability: whether the score is
    meant as the probability that the name is right."""

    best: Codes
    score: Floats
    is_probability: bool


class System(Protocol):
    name: str

    def fit(self, encodings: Floats, codes: Codes) -> None:
        """Learn from labelled encodings (n, 128), and whose each is: (n,) from 0 to people - 1, everyone at least
        once, all as often, two people at least. What it had learnt before is forgotten."""
        ...

    def predict(self, queries: Floats) -> Prediction:
        """Who each of (m, 128) is."""
        ...


class Namesake:
    """The best candidate and its confidence, exactly as a page shows them."""

    name = "Namesake"

    def __init__(self, method: Method = METHOD) -> None:
        self._method = method

    def fit(self, encodings: Floats, codes: Codes) -> None:
        gallery = Gallery()
        faces = zip(codes.tolist(), encodings.astype(np.float32), strict=True)
        gallery.apply([Change(number, code, encoding) for number, (code, encoding) in enumerate(faces)], revision=1)
        self._recogniser = Recogniser(gallery, self._method)

    def predict(self, queries: Floats) -> Prediction:
        best = [suggestion.candidates[0] for suggestion in self._recogniser.suggest_many(queries)]
        confidence = np.array([candidate.confidence for candidate in best])
        people = np.array([candidate.person for candidate in best], np.intp)
        return Prediction(people, confidence, is_probability=True)


class Original:
    """What Namesake replaces: PCA that keeps 90 % of the variance, and the probability that comes of label
    propagation at gamma 20."""

    name = "original"

    def fit(self, encodings: Floats, codes: Codes) -> None:
        self._projection = Projection.fit(encodings, 0.90)
        self._projected = self._projection.transform(encodings)
        self._codes = codes

    def predict(self, queries: Floats) -> Prediction:
        weights = rbf_log_weights(self._projection.transform(queries), self._projected, 20.0)
        chances = class_probabilities(weights, self._codes, int(self._codes.max()) + 1)
        return Prediction(chances.argmax(axis=1), chances.max(axis=1), is_probability=True)


class NearestNeighbours:
    """k nearest neighbours as in face_recognition's example: the square root of n of them, weighted by distance.

    It tells strangers by the distance of the nearest, which is the score.
    """

    name = "k-NN"

    def fit(self, encodings: Floats, codes: Codes) -> None:
        from sklearn.neighbors import KNeighborsClassifier

        neighbours = round(len(encodings) ** 0.5)
        self._classifier = KNeighborsClassifier(neighbours, weights="distance", algorithm="ball_tree")
        with quiet():  # scikit-learn finds so few photos each odd
            self._classifier.fit(encodings, codes)

    def predict(self, queries: Floats) -> Prediction:
        distances, _ = self._classifier.kneighbors(queries, n_neighbors=1)
        return Prediction(self._classifier.predict(queries), -distances[:, 0], is_probability=False)


class LinearSVM:
    """A linear support vector machine, each person against all others.

    From two photos a person on the score is its probability, by Platt's method on photos held out in turn. One photo
    each leaves none to hold out: the score is then the distance from the border.
    """

    name = "linear SVM"

    def fit(self, encodings: Floats, codes: Codes) -> None:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.svm import LinearSVC

        photos_each = int(np.bincount(codes).min())
        self._calibrated = photos_each > 1
        self._machine: Any = LinearSVC(random_state=0)
        if self._calibrated:
            self._machine = CalibratedClassifierCV(self._machine, cv=min(photos_each, 5), ensemble=False)
        with quiet():  # scikit-learn finds so few photos each odd
            self._machine.fit(encodings, codes)

    def predict(self, queries: Floats) -> Prediction:
        scores = self._machine.predict_proba(queries) if self._calibrated else self._machine.decision_function(queries)
        if scores.ndim == 1:  # of two people, scikit-learn gives the distance on the second one's side alone
            scores = np.stack([-scores, scores], axis=1)
        return Prediction(scores.argmax(axis=1), scores.max(axis=1), self._calibrated)
