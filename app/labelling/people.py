"""What a human says about a person as a whole: another name, the same as someone else, nobody, another picture."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling import backups, decisions
from app.labelling.labels import clean_label
from app.labelling.placing import place_photo, rename_photos
from app.labelling.workspace import Work, Workspace
from app.store import backup, people, queries
from app.store.changes import FACE, PERSON, PHOTO


class NameTaken(Conflict):
    """Someone else has this name: the two may be one, which a merge would say. details: person_id and url of theirs."""


def rename(workspace: Workspace, person_id: int, name: str | None) -> int:
    """Give a person and the files of their photos another name; the decision.

    Raises InvalidInput, NotFound, NameTaken, and Conflict when it is the name already.
    """
    label = clean_label(name)
    with workspace.changing() as work:
        person = known_person(work.connection, person_id)
        if person.name == label:
            raise Conflict("That is the name already. Nothing was changed.")
        other = queries.find_person(work.connection, label)
        if other is not None and people.has_faces(work.connection, other):
            raise NameTaken(
                f"Someone else is named {label} already. Merge the two if they are one person; nothing was changed.",
                person_id=other,
                url=f"/people/{other}/",
            )
        work.watch(PERSON, person_id)
        if other is not None:
            _absorb(work, other, person_id)
        people.rename(work.connection, person_id, label)
        rename_photos(workspace, work, people.photos_named_for(work.connection, person_id), person_id)
        work.rewrite = True
        before, after = {"person_id": person_id, "name": person.name}, {"person_id": person_id, "name": label}
        return work.decide("rename", before=before, after=after)


def merge(workspace: Workspace, person_id: int, into: str | None, into_id: int | None = None) -> tuple[int, int]:
    """Give all faces of a person the name of another, who stays: (the other, the decision).

    into, into_id: as find_other has them. Raises what it raises, and NotFound.
    """
    with workspace.changing() as work:
        person = known_person(work.connection, person_id)
        other = find_other(work.connection, person_id, into, into_id)
        backups.back_up_first(workspace, work.connection, backup.MERGE)
        work.watch(FACE, *people.faces_holding(work.connection, person_id))
        renamed = people.photos_named_for(work.connection, person_id)
        people.give_faces(work.connection, person_id, other.id, work.revision)
        rename_photos(workspace, work, renamed, other.id)
        work.rewrite = True
        before, after = {"person_id": person_id, "name": person.name}, {"person_id": other.id, "name": other.name}
        return int(other.id), work.decide("merge", before=before, after=after)


def delete(workspace: Workspace, person_id: int) -> int:
    """Let every face of a person wait for a name again; the decision. Raises NotFound."""
    with workspace.changing() as work:
        person = known_person(work.connection, person_id)
        faces = queries.faces_of_person(work.connection, person_id)
        decision = work.decide("delete", before={"person_id": person_id, "name": person.name}, after={})
        work.watch(FACE, *(face.id for face in faces))
        for face in faces:
            decisions.decide(work, face, "unlabel", status="inbox", person_id=None)
        for photo_id in dict.fromkeys(face.photo_id for face in faces):
            place_photo(workspace, work, photo_id)
        work.rewrite = True
        return decision


def choose_cover(workspace: Workspace, person_id: int, face_id: int | None) -> int:
    """Let a face stand for its person; the decision.

    Raises InvalidInput, NotFound, and Conflict when it is another's face or stands for them already.
    """
    if face_id is None:
        raise InvalidInput("Tick one face: it becomes the picture.")
    with workspace.changing() as work:
        person = known_person(work.connection, person_id)
        face = queries.face(work.connection, face_id)
        if face is None:
            raise NotFound("There is no such face.")
        if face.person_id != person_id:
            raise Conflict(f"This face is not named {person.name}. Nothing was changed.")
        if person.cover_id == face_id:
            raise Conflict("This is the picture already. Nothing was changed.")
        work.watch(PERSON, person_id)
        people.set_cover(work.connection, person_id, face_id)
        return work.decide(
            "cover", before={"face_id": person.cover_id}, after={"face_id": face_id, "name": person.name}
        )


def known_person(connection: Connection, person_id: int) -> Row[Any]:
    """(id, name, cover_id) of someone with a face. Raises NotFound."""
    person = people.person(connection, person_id)
    if person is None or not people.has_faces(connection, person_id):
        raise NotFound("There is no such person.")
    return person


def find_other(connection: Connection, person_id: int, into: str | None, into_id: int | None = None) -> Row[Any]:
    """Whom a person is to be merged with, who has a face.

    into: their name or their number, into_id: their number. Raises InvalidInput for nobody, for the same person, and
    for a number that is someone else's name as well; NotFound.
    """
    text = (into or "").strip()
    named = queries.find_person(connection, clean_label(text)) if text else None
    named = named if named is not None and people.has_faces(connection, named) else None
    numbered = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
    numbered = numbered if numbered is not None and people.has_faces(connection, numbered) else None
    if into_id is None and None not in (named, numbered) and named != numbered:
        raise InvalidInput(f"{text} is the name of one person and the number of another: say which with into_id.")
    found = into_id if into_id is not None else numbered if named is None else named
    if found is None and not text:
        raise InvalidInput("Say with whom: into is missing.")
    if found == person_id:
        raise InvalidInput("Nobody can be merged with themselves: choose someone else.")
    if found is None:
        raise NotFound("Nobody has this name.")
    return known_person(connection, found)


def _absorb(work: Work, gone: int, person_id: int) -> None:
    """Let a name that no face has here become this person's, with what is left of it in photos of the past."""
    work.watch(PERSON, gone)
    work.watch(FACE, *people.faces_holding(work.connection, gone))
    work.watch(PHOTO, *people.photos_holding(work.connection, gone))
    people.give_faces(work.connection, gone, person_id, work.revision, past=True)
    people.remove(work.connection, gone, person_id)
