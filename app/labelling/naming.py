"""Names that come from elsewhere, each with a box: which face is meant, and whether it may have the name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from app.errors import InvalidInput
from app.labelling.decisions import decide
from app.labelling.labels import clean_label
from app.labelling.placing import place_photo
from app.labelling.recognising import remember_twins
from app.labelling.workspace import Work, Workspace
from app.store import queries
from app.store.regions import Box, pair

IMPORT = "import"
_SAID = {"ignored": "it was put aside", "not_a_face": "it was said not to be a face"}


@dataclass(frozen=True)
class Wanted:
    """A name and where the face is that has it: (top, right, bottom, left) in pixels of the upright photo. decided:
    when it was given, if that is known."""

    name: str
    box: Box
    decided: str | None = None


@dataclass(frozen=True)
class Refused:
    """A name that was not given, and why."""

    name: str
    box: Box
    why: str


@dataclass
class Applied:
    """What came of names from elsewhere. named: ids of faces. known: how many had that name already. conflicts:
    nothing was changed there. unplaced: no face was found there, so that a box can still be drawn."""

    named: list[int] = field(default_factory=list)
    known: int = 0
    conflicts: list[Refused] = field(default_factory=list)
    unplaced: list[Wanted] = field(default_factory=list)


def apply_names(workspace: Workspace, work: Work, photo_id: int, wanted: Sequence[Wanted]) -> Applied:
    """Name the faces of a photo that lie where the names say."""
    applied = Applied()
    rows = queries.faces_of_photo(work.connection, photo_id)
    places = pair([each.box for each in wanted], [(row.top, row.right, row.bottom, row.left) for row in rows])
    for each, place in zip(wanted, places, strict=True):
        row = None if place is None else rows[place]
        try:
            name = clean_label(each.name)
        except InvalidInput as error:
            applied.conflicts.append(Refused(each.name, each.box, error.message))
            continue
        if row is None:
            applied.unplaced.append(Wanted(name, each.box, each.decided))
        elif row.status == "labelled" and row.person == name:
            applied.known += 1
        elif why := why_not(work, row, name):
            applied.conflicts.append(Refused(name, each.box, why))
        else:
            give_name(workspace, work, row, name, each.decided)
            applied.named.append(row.id)
    return applied


def why_not(work: Work, face: Row[Any], name: str) -> str | None:
    """Why a face cannot have this name, None when nothing was said about it."""
    if face.status == "labelled":
        return f"it is named {face.person}"
    if face.status != "inbox":
        return _SAID[face.status]
    person = queries.find_person(work.connection, name)
    if person is not None and (face.id, person) in queries.rejected(work.connection, [face.id]):
        return f"it was said not to be {name}"
    return None


def give_name(workspace: Workspace, work: Work, face: Row[Any], name: str, decided: str | None) -> None:
    """Give a face a name, as decisions.name_faces does, but nobody has answered a suggestion."""
    person_id = work.person(name)
    more: dict[str, Any] = {"decided_at": decided} if decided else {}
    decide(work, face, IMPORT, status="labelled", person_id=person_id, **more)
    work.labelled.append(face.id)
    place_photo(workspace, work, face.photo_id)
    remember_twins(work.connection, person_id, [face.id])
