"""What humans said about labels: that one is right whatever the rest says, or that a name is wrong."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from app.store.schema import faces, rejections, vouches


def vouch(connection: Connection, face_id: int, person_id: int) -> None:
    """Remember that a face is that person's."""
    connection.execute(insert(vouches).values(face_id=face_id, person_id=person_id))


def is_vouched(connection: Connection, face_id: int, person_id: int) -> bool:
    query = select(vouches.c.face_id).where(vouches.c.face_id == face_id, vouches.c.person_id == person_id)
    return connection.execute(query).first() is not None


def vouched(connection: Connection) -> set[tuple[int, int]]:
    """(face, person) of every label that a human stands by."""
    return {(face, person) for face, person in connection.execute(select(vouches.c.face_id, vouches.c.person_id))}


def ruled_out(connection: Connection) -> set[tuple[int, int]]:
    """(face, person) for every labelled face and whom it is said not to be."""
    query = select(rejections.c.face_id, rejections.c.person_id).join(faces, faces.c.id == rejections.c.face_id)
    return {(face, person) for face, person in connection.execute(query.where(faces.c.status == "labelled"))}
