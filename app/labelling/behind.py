"""The faces behind a number of the insights page.

What is asked is a set of parameters, as in the page's own links:

- answers: `decisions=51-100`, `confidence=0.8-0.9`, `said=named|new`, `answer=accepted|changed`, in any combination;
- faces of the gallery: `gallery=all` for everyone's, `person=ID` for those of one person;
- pairs of them: `pair=same|different`, and `distance=0.3-0.35` (from, to below; `1.2-` has no end);
  `pair=same&person=ID` for those of one person; `person=ID&other=ID` for those between two people.

A range of confidence that ends at 1 includes it. `page` counts from 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.errors import InvalidInput, NotFound
from app.labelling.answers import Answer, read_answers
from app.labelling.insights import address, measure
from app.labelling.reading import Json, thumb_url
from app.labelling.workspace import Workspace
from app.recognition import pairs
from app.store import history, queries

FACES_A_PAGE = 96
PAIRS_A_PAGE = 48

_ANSWERS = {"decisions", "confidence", "said", "answer"}
_WHOLE = re.compile(r"(\d{1,9})-(\d{1,9})", re.ASCII)
_DECIMAL = re.compile(r"(\d{1,2}(?:\.\d{1,6})?)-(\d{1,2}(?:\.\d{1,6})?)?", re.ASCII)
_ID = re.compile(r"\d{1,15}", re.ASCII)

Question = Mapping[str, str]


def faces_behind(workspace: Workspace, question: Question) -> Json:
    """{"title", "note", "total", "page", "pages", "next", "previous"} with "faces" or "pairs".

    Raises InvalidInput for a question that makes no sense, NotFound for a person or page that there is not.
    """
    asked = set(question) - {"page"}
    if asked in ({"person"}, {"gallery"}):
        return _gallery(workspace, question)
    if asked == {"person", "other"} or ("pair" in asked and asked <= {"pair", "distance", "person"}):
        return _pairs(workspace, question)
    if asked <= _ANSWERS:
        return _answers(workspace, question)
    raise InvalidInput(f"Nothing can be asked with {' and '.join(sorted(asked))[:200]} together.")


# --- answers


def _answers(workspace: Workspace, question: Question) -> Json:
    first, last = _whole_range(question, "decisions")
    low, high = _range(question, "confidence", closed_at=1.0)
    said = _one_of(question, "said", "named", "new")
    answer = _one_of(question, "answer", "accepted", "changed")
    with workspace.database.read() as connection:
        found = [
            (number, each)
            for number, each in enumerate(read_answers(connection), 1)
            if first <= number <= last
            and low <= each.confidence < high
            and (said is None or (said == "named") == (each.person is not None))
            and (answer is None or (answer == "accepted") == each.accepted)
        ]
        shown, paging = _page(question, found, FACES_A_PAGE)
        names = queries.names(connection)
        faces = _faces(connection, [each.face_id for _, each in shown])
    listed = [faces[each.face_id] | _told(number, each, names) for number, each in shown]
    return {"title": _title(question), "note": None, **paging, "faces": listed}


def _told(number: int, answer: Answer, names: dict[int, str]) -> Json:
    return {
        "decision": number,
        "suggested": names.get(answer.person, "?") if answer.person is not None else None,
        "confidence": answer.confidence,
        "said": answer.said,
        "given": names.get(answer.given, "?") if answer.given is not None else None,
        "accepted": answer.accepted,
    }


def _title(question: Question) -> str:
    parts = []
    if "decisions" in question:
        parts.append(f"number {question['decisions'].replace('-', ' to ')}")
    if "said" in question:
        parts.append("with a name" if question["said"] == "named" else "that said someone new")
    if "confidence" in question:
        low, high = _range(question, "confidence")
        parts.append(f"from {low:.0%} to {min(high, 1):.0%} sure")
    if "answer" in question:
        parts.append("that you accepted" if question["answer"] == "accepted" else "that you did not accept")
    return " ".join(["Suggestions", *parts]) if parts else "All suggestions that were answered"


# --- pairs


def _pairs(workspace: Workspace, question: Question) -> Json:
    measured = measure(workspace.view_gallery())
    low, high = _range(question, "distance")
    kind = _one_of(question, "pair", "same", "different") or "different"
    if "person" in question and "pair" in question and kind == "different":
        raise InvalidInput("Pairs of different people are asked for with person and other.")
    people = [_id(question, name) for name in ("person", "other") if name in question]
    if len(set(people)) < len(people):
        raise InvalidInput("person and other must be two people.")
    if people:
        view = pairs.only(measured.view, *people)
        found = pairs.same_person(view) if kind == "same" else pairs.different_people(view)
    else:
        view, found = measured.view, measured.same if kind == "same" else measured.different
    with workspace.database.read() as connection:
        names = queries.names(connection)
        _check_known(people, view.persons.tolist())
        chosen = found.between(low, high)
        # What may be a mistake comes first: one name on two faces far apart, two names on two close ones.
        order = np.argsort(-chosen.distances if kind == "same" else chosen.distances, kind="stable")
        shown, paging = _page(question, order, PAIRS_A_PAGE)
        rows = [(int(view.face_ids[chosen.first[k]]), int(view.face_ids[chosen.second[k]])) for k in shown]
        faces = _faces(connection, [face for row in rows for face in row])
    listed = [
        {"distance": float(chosen.distances[k]), "faces": [faces[a], faces[b]]}
        for k, (a, b) in zip(shown, rows, strict=True)
    ]
    title = _title_of_pairs(question, kind, [names[person] for person in people], low, high)
    return {"title": title, "note": _note(found), **paging, "pairs": listed}


def _title_of_pairs(question: Question, kind: str, people: list[str], low: float, high: float) -> str:
    if len(people) == 2:
        title = f"{people[0]} and {people[1]}, side by side"
    elif people:
        title = f"Pairs of faces of {people[0]}"
    else:
        title = "Pairs of faces of one person" if kind == "same" else "Pairs of faces of two people"
    if "distance" not in question:
        return title
    if high == float("inf"):
        return f"{title}, {low:g} apart or more"
    return f"{title}, {low:g} to {high:g} apart" if low else f"{title}, less than {high:g} apart"


def _note(found: pairs.Pairs) -> str | None:
    if not found.sampled:
        return None
    return f"Of {found.total:,} pairs, a sample of {len(found):,} was measured: always the same one."


# --- the gallery


def _gallery(workspace: Workspace, question: Question) -> Json:
    """Of everyone or of one person: the faces that others are recognised by, and how many more have a name."""
    _one_of(question, "gallery", "all")
    view = measure(workspace.view_gallery()).view
    title = "Faces used to recognise others"
    with workspace.database.read() as connection:
        if "person" in question:
            person = _id(question, "person")
            rows = queries.faces_of_person(connection, person)
            _check_known([person], [row.person_id for row in rows])
            title, named, view = f"Faces of {rows[0].person}", len(rows), pairs.only(view, person)
        else:
            named = queries.count_faces(connection).get("labelled", 0)
        shown, paging = _page(question, view.face_ids.tolist(), FACES_A_PAGE)
        faces = _faces(connection, shown)
    note = _left_out(named - len(view))
    return {"title": title, "note": note, **paging, "faces": [faces[id_] for id_ in shown]}


def _left_out(count: int) -> str | None:
    if count <= 0:
        return None
    verbs = ("carries", "is") if count == 1 else ("carry", "are")
    return "{:,} more {} a name, but {} not used to recognise others.".format(count, *verbs)


# --- small parts


def _faces(connection: Any, face_ids: Sequence[int]) -> dict[int, Json]:
    """Faces as lists show them, by id. Those that a reset has put aside have no picture and no page any more."""
    found = history.faces_of_any_time(connection, list(set(face_ids)))
    return {
        row.id: {
            "id": row.id,
            "photo_id": row.photo_id,
            "label": row.person,
            "thumb": thumb_url(row.id) if row.live else None,
            "url": f"/photos/{row.photo_id}/#face-{row.id}" if row.live else None,
        }
        for row in found.values()
    }


def _check_known(people: Sequence[int], having_faces: Sequence[int]) -> None:
    if not set(people) <= set(having_faces):
        raise NotFound("There is no such person.")


def _page(question: Question, found: Any, size: int) -> tuple[Any, Json]:
    text = question.get("page", "1")
    pages = max(1, -(-len(found) // size))
    if not (_ID.fullmatch(text) and int(text)):
        raise InvalidInput("page must be a whole number from 1.")
    page = int(text)
    if page > pages:
        raise NotFound(f"There are only {pages:,} pages." if pages > 1 else "There is only one page.")
    rest = {name: value for name, value in question.items() if name != "page"}
    return found[(page - 1) * size : page * size], {
        "total": len(found),
        "page": page,
        "pages": pages,
        "previous": address(**rest, page=page - 1) if page > 1 else None,
        "next": address(**rest, page=page + 1) if page < pages else None,
    }


def _one_of(question: Question, name: str, *allowed: str) -> str | None:
    value = question.get(name)
    if value is not None and value not in allowed:
        raise InvalidInput(f"{name} must be {' or '.join(allowed)}.")
    return value


def _id(question: Question, name: str) -> int:
    if not _ID.fullmatch(question[name]):
        raise InvalidInput(f"{name} must be a whole number.")
    return int(question[name])


def _whole_range(question: Question, name: str) -> tuple[int, float]:
    if name not in question:
        return 1, float("inf")
    found = _WHOLE.fullmatch(question[name])
    first, last = (int(part) for part in found.groups()) if found else (0, 0)
    if not 1 <= first <= last:
        raise InvalidInput(f"{name} must be two whole numbers, the smaller first, such as 51-100.")
    return first, last


def _range(question: Question, name: str, closed_at: float | None = None) -> tuple[float, float]:
    if name not in question:
        return 0.0, float("inf")
    found = _DECIMAL.fullmatch(question[name])
    low, high = (float(part) if part else float("inf") for part in found.groups()) if found else (1.0, 0.0)
    if not low < high:
        raise InvalidInput(f"{name} must be two numbers, the smaller first, such as 0.3-0.35.")
    return low, float("inf") if closed_at is not None and high >= closed_at else high
