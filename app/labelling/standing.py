"""How sure we are of people: whether new photos of someone will be recognised, and what speaks against it."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

import numpy as np

from app.labelling import doubts, people, reading
from app.labelling.workspace import Workspace
from app.recognition import closeness, pairs
from app.recognition.closeness import Need
from app.recognition.gallery import View
from app.store import people as store
from app.store import queries

Json = dict[str, Any]

STANDINGS = ("doubted", "unlike", "close", "few", "known")
"""What weighs most comes first: one of their faces looks like somebody else's; their faces are unlike each other;
somebody else's average is close to theirs; there are few of them; or nothing of all that."""

_COMPARED = 200
_SHOWN = 6


def list_people(workspace: Workspace, words: str = "") -> list[Json]:
    """Everyone with a labelled face, by name, as reading has them and with their `standing`, one of STANDINGS.

    words: only those whose names hold them; capitals and accents do not matter.
    """
    standings, wanted = _standings(workspace), _plain(words)
    return [
        person | {"standing": standings.get(person["id"], "few")}
        for person in reading.read_people(workspace)
        if wanted in _plain(person["name"])
    ]


def show_person(workspace: Workspace, person_id: int, *, gone: bool = False) -> Json:
    """One person with their faces, as reading has them and with their `standing`. Raises NotFound.

    gone: whoever has no face left is told of, too.
    """
    if gone:
        with workspace.database.read() as connection:
            row = store.person(connection, person_id)
            if row is not None and not store.has_faces(connection, person_id):
                return {"id": row.id, "name": row.name, "count": 0, "cover": None, "standing": "few", "faces": []}
    person = reading.read_person(workspace, person_id)
    faces = person.pop("faces")
    return person | {"standing": _standings(workspace).get(person_id, "few"), "faces": faces}


def compare(workspace: Workspace, person_id: int, into: str | None, into_id: int | None = None) -> Json:
    """Two people who may be one: {"person", "into", "distance"}, each person with their first faces.

    distance: between their two nearest faces, Euclidean over encodings. Raises what people.find_other raises, NotFound.
    """
    with workspace.database.read() as connection:
        people.known_person(connection, person_id)
        other = people.find_other(connection, person_id, into, into_id)
        encodings = [
            np.array([queries.unpack(row.encoding) for row in queries.faces_of_person(connection, id_)[:_COMPARED]])
            for id_ in (person_id, other.id)
        ]
    shown = []
    for id_ in (person_id, other.id):
        person = show_person(workspace, id_)
        shown.append(person | {"faces": person["faces"][:_SHOWN]})
    apart = np.linalg.norm(encodings[0][:, np.newaxis] - encodings[1], axis=2).min()
    return {"person": shown[0], "into": shown[1], "distance": float(apart)}


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.strip())
    return "".join(c for c in letters if not unicodedata.combining(c)).casefold()


def _standings(workspace: Workspace) -> dict[int, str]:
    doubted = doubts.people_in_doubt(workspace)
    found = {need.person: _standing(need) for need in _everyone(workspace.view_gallery())}
    return found | dict.fromkeys(doubted & found.keys(), "doubted")


def _standing(need: Need) -> str:
    return next((word for word in ("unlike", "close", "few") if getattr(need, word)), "known")


# A gallery keeps its view until something changes. With 20,000 faces of 5,000 people this takes a tenth of a second.
@lru_cache(maxsize=1)
def _everyone(view: View) -> list[Need]:
    return closeness.everyone(pairs.by_person(view))
