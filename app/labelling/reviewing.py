"""The labelling loop: one group of faces at a time, one answer for all of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Row

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling import decisions, reading
from app.labelling.ignoring import alike
from app.labelling.inbox import Inbox
from app.labelling.labels import clean_label
from app.labelling.workspace import Work, Workspace
from app.recognition.offering import KNOWN, STRAYS, Offer, likely_people
from app.recognition.openset import Suggestion
from app.store import queries

Json = dict[str, Any]

ACTIONS = ("confirm", "ignore", "not_a_face", "skip")

_CANDIDATES = 9
_BESIDE = 3
_WORTH_OFFERING = 0.01
# More faces than any group has.
_MOST = 1000

_inboxes: WeakKeyDictionary[Workspace, Inbox] = WeakKeyDictionary()
_making = threading.Lock()


def read_review(workspace: Workspace, face_id: int | None = None) -> Json:
    """{"group", "remaining"} as GET /review/ answers them: the group to decide next, None when nothing waits.

    face_id: the group with this face is asked for, if it still waits.

    A group: {"id", "kind", "suggestion", "candidates", "faces", "known"}. kind: of recognition.offering. known:
    labelled faces of the suggested person, those nearest to the group. remaining: {"faces", "groups", "decisions"}, the
    last of which is how many answers and unticked faces it will probably take.
    """
    offers, suggestions = inbox_of(workspace).read()
    remaining = {
        "faces": sum(len(offer.face_ids) for offer in offers),
        "groups": len(offers),
        "decisions": round(sum(map(_expected_decisions, offers))),
    }
    chosen = next((offer for offer in offers if face_id in offer.face_ids), offers[0] if offers else None)
    group = None if chosen is None else _describe(workspace, chosen, suggestions)
    return {"group": group, "remaining": remaining}


def inbox_of(workspace: Workspace) -> Inbox:
    with _making:
        return _inboxes.setdefault(workspace, Inbox(workspace))


def answer(
    workspace: Workspace, action: str, label: str | None, face_ids: Sequence[int], reject_ids: Sequence[int] = ()
) -> Json:
    """Say the same about all of some waiting faces: {"applied", "message", "decision_id"}, as one action.

    action: `confirm` (they are `label`), `ignore`, `not_a_face`, or `skip` (ask later). reject_ids: faces of the group
    that are not so: they are not this person, or not strangers, and wait on.
    Where none is so (no face_ids), that is said of the rejected ones all the same: none is this person, all are asked
    about later.
    Raises InvalidInput, NotFound, and Conflict when any of them has been decided: nothing changes then.
    """
    if action not in ACTIONS:
        raise InvalidInput(f"The action must be one of {', '.join(ACTIONS)}.")
    name = clean_label(label) if action == "confirm" else ""
    if not face_ids and not reject_ids:
        raise InvalidInput("Tick at least one face.")
    if len(face_ids) + len(reject_ids) > _MOST:
        raise InvalidInput(f"At most {_MOST:,} faces can be answered at once.")
    if len({*face_ids, *reject_ids}) < len(face_ids) + len(reject_ids):
        raise InvalidInput("The same face is given twice.")
    offers, suggestions = inbox_of(workspace).read()
    asked = {face_id for offer in offers if offer.person is not None for face_id in offer.face_ids}
    shown = {
        face_id: decisions.shown(suggestions[face_id], asked=face_id in asked)
        for face_id in (*face_ids, *reject_ids)
        if face_id in suggestions
    }
    with workspace.changing() as work:
        kept, rejected = _waiting(work, face_ids), _waiting(work, reject_ids)
        more = 0
        if action == "confirm":
            _confirm(workspace, work, name, kept, rejected, shown)
        elif action == "skip" or not kept:
            _put_off(work, [*kept, *rejected])
        else:
            more = _dismiss(work, action, kept, rejected, suggestions, shown)
    assert work.action is not None  # noqa: S101  (there was at least one face)
    if action == "skip" or (action != "confirm" and not kept):
        message = _said("skip", "", len(kept) + len(rejected), 0)
    else:
        message = _said(action, name, len(kept), more)
    return {"applied": len(kept), "message": message, "decision_id": work.action}


def what_it_bought(workspace: Workspace, name: str) -> str:
    """How many more faces look like someone now, in words; empty for none."""
    offers, _suggestions = inbox_of(workspace).read()
    name = clean_label(name)
    with workspace.database.read() as connection:
        person = queries.find_person(connection, name)
    more = sum(len(offer.face_ids) for offer in offers if offer.kind == KNOWN and offer.person == person)
    return f"{more:,} more now {'looks' if more == 1 else 'look'} like {name}." if more else ""


def _waiting(work: Work, face_ids: Sequence[int]) -> list[Row[Any]]:
    rows = queries.faces_by_id(work.connection, face_ids)
    if len(rows) < len(face_ids):
        raise NotFound("There is no such face.")
    decided = sum(row.status != "inbox" for row in rows.values())
    if decided:
        who = "One of these faces has" if decided == 1 else f"{decided} of these faces have"
        raise Conflict(f"{who} been decided already. Nothing was changed.")
    return [rows[face_id] for face_id in face_ids]


def _confirm(
    workspace: Workspace,
    work: Work,
    name: str,
    kept: list[Row[Any]],
    rejected: list[Row[Any]],
    shown: dict[int, Json],
) -> None:
    decisions.name_faces(workspace, work, kept, name, "confirm", shown)
    person = work.person(name)
    for face in rejected:
        on_screen = shown.get(face.id)
        decisions.decide(work, face, "reject", status="inbox", person_id=None, suggestion=on_screen, rejected=person)
        queries.reject(work.connection, face.id, person)


def _dismiss(
    work: Work,
    action: str,
    kept: list[Row[Any]],
    rejected: list[Row[Any]],
    suggestions: dict[int, Suggestion],
    shown: dict[int, Json],
) -> int:
    """Put the faces aside, and strangers' look-alikes with them; how many of those there were."""
    status = decisions.DISMISSALS[action]
    for face in kept:
        decisions.decide(work, face, action, status=status, person_id=None, suggestion=shown.get(face.id))
    _put_off(work, rejected)
    if action != "ignore":
        return 0
    said = {face.id for face in (*kept, *rejected)}
    others = [face_id for face_id, one in suggestions.items() if face_id not in said and one.person is None]
    rows = [row for row in queries.faces_by_id(work.connection, others).values() if row.status == "inbox"]
    same = alike(*(np.array([queries.unpack(face.encoding) for face in some]) for some in (rows, kept)))
    look_alikes = [row for row, is_same in zip(rows, same, strict=True) if is_same]
    for face in look_alikes:
        decisions.decide(work, face, "ignore", status="ignored", person_id=None)
    return len(look_alikes)


def _put_off(work: Work, rows: Sequence[Row[Any]]) -> None:
    for face in rows:
        decisions.decide(work, face, "skip", status="inbox", person_id=None, skipped=work.revision)


def _said(action: str, name: str, count: int, more: int) -> str:
    faces = "1 face" if count == 1 else f"{count:,} faces"
    match action:
        case "confirm":
            return f"Named {faces} {name}." if count else f"Noted: none of these is {name}."
        case "ignore":
            return f"Ignored {faces}, and {more:,} more just like them." if more else f"Ignored {faces}."
        case "not_a_face":
            return f"Put {faces} aside as no face."
        case _:
            return f"Put off {faces}."


def _expected_decisions(offer: Offer) -> float:
    """One answer, and one for every face that will probably be unticked."""
    wrong = (1 - offer.confidence) * len(offer.face_ids) if offer.kind == KNOWN else 0
    return 1 + wrong


def _describe(workspace: Workspace, offer: Offer, suggestions: dict[int, Suggestion]) -> Json:
    with workspace.database.read() as connection:
        rows = queries.faces_by_id(connection, offer.face_ids)
        names = queries.names(connection)
        likely = _candidates(offer, suggestions)
        covers = {row.id: row.cover for person, _ in likely for row in queries.known_people(connection, person)}
        beside = _beside(offer, suggestions)
        known = queries.faces_by_id(connection, beside)
        if offer.person is not None and len(known) < _BESIDE:
            others = {row.id: row for row in queries.faces_of_person(connection, offer.person)}
            known |= {face_id: row for face_id, row in list(others.items())[: _BESIDE - len(known)]}
    faces = [rows[face_id] for face_id in offer.face_ids if face_id in rows]
    suggestion = None
    if offer.person is not None:
        suggestion = {"label": names[offer.person], "confidence": offer.confidence}
    return {
        "id": f"{offer.kind}-{min(offer.face_ids)}",
        "kind": offer.kind,
        "suggestion": suggestion,
        "candidates": [
            {"label": names[person], "confidence": confidence, "thumb": reading.thumb_url(covers[person])}
            for person, confidence in likely
            if person in covers
        ],
        "faces": [reading.describe_face(workspace, face, suggestions.get(face.id), names) for face in faces],
        "known": [reading.evidence(row) for row in known.values()],
    }


def _beside(offer: Offer, suggestions: dict[int, Suggestion]) -> list[int]:
    """Labelled faces of the suggested person to compare with: the nearest."""
    near = {
        neighbour.face_id: neighbour.distance
        for face_id in offer.face_ids
        for neighbour in suggestions[face_id].nearest
        if neighbour.person == offer.person
    }
    return sorted(near, key=near.__getitem__)[:_BESIDE]


def _candidates(offer: Offer, suggestions: dict[int, Suggestion]) -> list[tuple[int, float]]:
    """Who the group may be, and how likely on average; strays are of different people, so nobody."""
    if offer.kind == STRAYS:
        return []
    likely = likely_people([suggestions[face_id] for face_id in offer.face_ids])
    return [(person, chance) for person, chance in likely if chance >= _WORTH_OFFERING][:_CANDIDATES]
