"""How sure the recogniser may be, learnt from what the user said to its suggestions."""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection

from app.labelling.answers import Answer, read_answers
from app.recognition import calibration
from app.recognition.calibration import Calibration
from app.store import calibrations


class Learner:
    """Keeps the calibration current, at the cost of a count for most changes. Not to be shared between threads."""

    def __init__(self) -> None:
        self._after = 0
        self._seen = 0
        self._unusable = 0
        self._calibration = Calibration()

    def learn(self, connection: Connection) -> Calibration:
        """What the store's answers come to. The same in every process that has seen as many."""
        after = calibrations.begin_after(connection)
        suggestions = calibrations.count_suggestions(connection, after)
        if after != self._after or suggestions < self._seen:  # forgotten, or taken back
            self._after, self._unusable, self._calibration = after, 0, Calibration()
        self._seen = suggestions
        # At most so many are usable: only where that might make a round is the journal read.
        if calibration.rounds(suggestions - self._unusable) > self._calibration.answers:
            answers = usable_answers(connection, after)
            self._unusable = suggestions - len(answers)
            self._calibration = _fit(answers[: calibration.rounds(len(answers))])
        return self._calibration


def usable_answers(connection: Connection, after: int) -> list[Answer]:
    """The answers, after that decision, that say whether the best name was right. That something is no face does not:
    it is the detector that was wrong."""
    return [
        answer
        for answer in read_answers(connection)
        if answer.decision_id > after and answer.best is not None and answer.said != "not_a_face"
    ]


def _fit(answers: list[Answer]) -> Calibration:
    if not answers:
        return Calibration()
    return calibration.fit(
        np.array([answer.familiar for answer in answers]),
        np.array([answer.chance for answer in answers]),
        np.array([answer.given == answer.best for answer in answers]),
    )
