"""What humans made of the suggestions: the journal of decisions, read as questions and answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row

from app.store import history

# What is said about a face besides what it is: the answer stands.
_BESIDES = ("vouch", "recognise", "unreject")


@dataclass(frozen=True)
class Answer:
    """A suggestion and what a human said to it.

    person, confidence: the suggestion; person None stands for someone new. given: the person the human named, None
    if nobody. said: "named", "ignored", "not_a_face" or "rejected". accepted: it named someone and the human gave
    that name; or it said someone new and the human gave a name that nobody had, or ignored the face.

    decision_id: of the first answer. best, chance, familiar: the best known name, that it was this one if anyone known,
    and that it was anyone known, before any calibration; best is None where nobody was known.
    """

    face_id: int
    person: int | None
    confidence: float
    given: int | None
    said: str
    accepted: bool
    decision_id: int = 0
    best: int | None = None
    chance: float = 0.0
    familiar: float = 0.0


def read_answers(connection: Connection) -> list[Answer]:
    """Every suggestion that was answered, in the order of the answers."""
    return find_answers(history.decisions_about_faces(connection), history.named_without_decision(connection))


def find_answers(decisions: Iterable[Row[Any]], named_otherwise: Sequence[Row[Any]]) -> list[Answer]:
    """The answers among the decisions; both as app.store.history gives them.

    What counts is what the human said in the end: a name that was changed later counts as changed, and an answer
    that was taken back is none.
    """
    found: list[Answer | None] = []
    current: dict[int, int] = {}  # where in `found` the answer is that a decided face owes its state to
    names = _Names(named_otherwise)
    for decision in decisions:
        if decision.kind == "reset":
            names.forget()
            continue
        if decision.kind in _BESIDES:
            continue
        face_id, person = decision.face_id, decision.after.get("person_id")
        known = names.known_before(decision)
        if decision.suggestion is not None:
            if _answers(decision):
                if decision.kind != "reject":  # after which the face still waits for an answer
                    current[face_id] = len(found)
                found.append(_answer(decision, known))
        elif face_id in current:
            place = current[face_id]
            if decision.after.get("status") == "inbox":
                del current[face_id]
            found[place] = _amended(found[place], decision, known)
        if person is not None:
            names.give(person, decision.after.get("order") or 0)
    return [answer for answer in found if answer is not None]


class _Names:
    """Which names were in use, and since which revision."""

    def __init__(self, otherwise: Sequence[Row[Any]]) -> None:
        self._otherwise: dict[int, list[tuple[int, int | None]]] = {}
        for row in otherwise:
            self._otherwise.setdefault(row.person_id, []).append((row.revision, row.batch))
        self._since: dict[int, int] = {}

    def known_before(self, decision: Row[Any]) -> bool:
        """Whether the person it names had been named before. Faces named in one go do not know of each other."""
        person = decision.after.get("person_id")
        if person is None:
            return False
        # Only what was waiting before is named at the revision of its decision; the rest keep their place in line.
        moment = decision.after.get("order") if decision.before.get("status") == "inbox" else None
        since = self._since.get(person)
        return (since is not None and (moment is None or since < moment)) or any(
            (moment is None or revision < moment) and (batch is None or batch > decision.id)
            for revision, batch in self._otherwise.get(person, ())
        )

    def give(self, person: int, revision: int) -> None:
        self._since[person] = min(revision, self._since.get(person, revision))

    def forget(self) -> None:
        """A reset puts everything aside that was named by hand."""
        self._since.clear()


def _answers(decision: Row[Any]) -> bool:
    """Whether it is about the suggestion: a "no" to another of the candidates is not."""
    return bool(decision.kind != "reject" or decision.after.get("rejected") == decision.suggestion.get("person_id"))


def _answer(decision: Row[Any], known: bool) -> Answer:
    suggestion = decision.suggestion
    unanswered = Answer(
        decision.face_id,
        suggestion.get("person_id"),
        float(suggestion.get("confidence") or 0.0),
        given=None,
        said="",
        accepted=False,
        decision_id=decision.id,
        best=suggestion.get("best_id"),
        chance=float(suggestion.get("chance") or 0.0),
        familiar=float(suggestion.get("familiar") or 0.0),
    )
    return _with(unanswered, decision, known)


def _amended(answer: Answer | None, decision: Row[Any], known: bool) -> Answer | None:
    """The answer after a later decision about the face; None when that takes it back."""
    if answer is None or (decision.after.get("status") == "inbox" and decision.kind != "reject"):
        return None
    return _with(answer, decision, known)


def _with(answer: Answer, decision: Row[Any], known: bool) -> Answer:
    given = decision.after.get("person_id")
    said = "rejected" if decision.kind == "reject" else "named" if given is not None else decision.after.get("status")
    if answer.person is not None:
        accepted = given == answer.person
    else:
        accepted = said == "ignored" or (given is not None and not known)
    return replace(answer, given=given, said=said or "", accepted=accepted)
