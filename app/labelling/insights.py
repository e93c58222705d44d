"""How well the suggestions do, and how well the faces of the gallery can be told apart: what GET /insights/ answers.

Every number goes with the address of the faces behind it (app.labelling.behind).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from app.labelling.answers import Answer, read_answers
from app.labelling.map_labels import place_labels
from app.labelling.reading import Json, thumb_url
from app.labelling.workspace import Workspace
from app.recognition import closeness, face_map, pairs, reliability
from app.recognition.gallery import View
from app.recognition.openset import SAME_PERSON_DISTANCE
from app.store import history, queries

COLOURS = 8
LISTED_IN_NEED = 12


def read_insights(workspace: Workspace) -> Json:
    """{"accuracy", "learning_curve", "reliability", "distances", "map", "people"}, as docs/http.md has it."""
    measured = measure(workspace.view_gallery())
    shown = [int(measured.view.face_ids[row]) for row in measured.map.rows]
    with workspace.database.read() as connection:
        answers = read_answers(connection)
        names = queries.names(connection)
        photos = {id_: row.photo_id for id_, row in history.faces_of_any_time(connection, shown).items()}
    named = [answer for answer in answers if answer.person is not None]
    bins = reliability.reliability([a.confidence for a in named], [a.accepted for a in named])
    return {
        "accuracy": _accuracy(answers) | {"expected_calibration_error": reliability.calibration_error(bins)},
        "learning_curve": [_window(window) for window in reliability.learning_curve([a.accepted for a in answers])],
        "reliability": [_bin(each) for each in bins],
        "distances": _distances(measured),
        "map": _map(measured, names, photos),
        "people": [_need(each, names) for each in measured.needs[:LISTED_IN_NEED]],
        "people_in_need": len(measured.needs),
    }


@dataclass(frozen=True, eq=False)
class Measured:
    """What follows from the gallery alone. view: in the order of pairs.by_person."""

    view: View
    same: pairs.Pairs
    different: pairs.Pairs
    map: face_map.FaceMap
    needs: list[closeness.Need]


# A gallery keeps its view until something changes. With 20,000 faces of 5,000 people this takes 0.2 s of one core.
@lru_cache(maxsize=1)
def measure(view: View) -> Measured:
    ordered = pairs.by_person(view)
    return Measured(
        ordered,
        pairs.same_person(ordered),
        pairs.different_people(ordered),
        face_map.draw_map(ordered),
        closeness.needs(ordered),
    )


def address(**question: Any) -> str:
    """Where the faces behind a number are."""
    return f"/insights/faces/?{urlencode(question)}" if question else "/insights/faces/"


def _accuracy(answers: Sequence[Answer]) -> Json:
    return _share(answers) | {
        "named": _share([a for a in answers if a.person is not None], said="named"),
        "someone_new": _share([a for a in answers if a.person is None], said="new"),
    }


def _share(answers: Sequence[Answer], **question: str) -> Json:
    accepted = sum(answer.accepted for answer in answers)
    return {
        "answers": len(answers),
        "accepted": accepted,
        "share": accepted / len(answers) if answers else None,
        "url": address(**question),
        "accepted_url": address(**question, answer="accepted"),
    }


def _window(window: reliability.Window) -> Json:
    question = {"decisions": f"{window.first}-{window.last}"}
    return asdict(window) | {
        "answers": window.last - window.first + 1,
        "share": window.share,
        "url": address(**question),
        "accepted_url": address(**question, answer="accepted"),
    }


def _bin(each: reliability.Bin) -> Json:
    question = {"said": "named", "confidence": f"{each.low:g}-{each.high:g}"}
    return asdict(each) | {"url": address(**question), "right_url": address(**question, answer="accepted")}


def _distances(measured: Measured) -> Json:
    same, different = measured.same, measured.different
    edges = pairs.edges(*(float(kind.distances.max()) for kind in (same, different) if len(kind)))
    bins = []
    counts = zip(pairs.histogram(same, edges), pairs.histogram(different, edges), strict=True)
    for number, (of_same, of_different) in enumerate(counts):
        low, high = edges[number : number + 2]
        asked = f"{low:g}-{high:g}" if number < len(edges) - 2 else f"{low:g}-"
        bins.append(
            {
                "low": low,
                "high": high,
                "same": of_same,
                "different": of_different,
                "same_url": address(pair="same", distance=asked),
                "different_url": address(pair="different", distance=asked),
            }
        )
    return {
        "threshold": SAME_PERSON_DISTANCE,
        "faces": len(measured.view),
        "url": address(gallery="all"),
        "same": _kind(same, "same", SAME_PERSON_DISTANCE, float("inf")),
        "different": _kind(different, "different", 0.0, SAME_PERSON_DISTANCE),
        "bins": bins,
    }


def _kind(found: pairs.Pairs, kind: str, low: float, high: float) -> Json:
    """Pairs of one kind. wrong: how many of them lie on the wrong side of the threshold."""
    asked = f"{low:g}-" if high == float("inf") else f"{low:g}-{high:g}"
    return {
        "pairs": found.total,
        "measured": len(found),
        "wrong": len(found.between(low, high)),
        "url": address(pair=kind),
        "wrong_url": address(pair=kind, distance=asked),
    }


def _map(measured: Measured, names: dict[int, str], photos: dict[int, int]) -> Json:
    """The people on the map, those with the most faces first and the first COLOURS of them coloured."""
    people: dict[int, Json] = {}
    counts = Counter(measured.view.persons.tolist())
    for row, (x, y) in zip(measured.map.rows, measured.map.points.tolist(), strict=True):
        id_, face = int(measured.view.persons[row]), int(measured.view.face_ids[row])
        person = people.setdefault(
            id_,
            {
                "id": id_,
                "name": names.get(id_, "?"),
                "faces": counts[id_],
                "colour": len(people) + 1 if len(people) < COLOURS else None,
                "url": address(person=id_),
                "points": [],
            },
        )
        url = f"/photos/{photos.get(face)}/#face-{face}"
        person["points"].append({"face_id": face, "x": x, "y": y, "thumb": thumb_url(face), "url": url})
    return {
        "shown": len(measured.map.rows),
        "faces": len(measured.view),
        "url": address(gallery="all"),
        "variance": measured.map.kept,
        "people": list(people.values()),
        "labels": place_labels([person for person in people.values() if person["colour"]]),
    }


def _need(need: closeness.Need, names: dict[int, str]) -> Json:
    """A person with what is known of them. reasons: "few", "unlike", "close"."""
    return {
        "id": need.person,
        "name": names.get(need.person, "?"),
        "cover": thumb_url(need.cover),
        "faces": need.faces,
        "spread": need.spread,
        "closest": need.nearest and names.get(need.nearest, "?"),
        "distance": need.distance,
        "reasons": [reason for reason in ("few", "unlike", "close") if getattr(need, reason)],
        "url": address(person=need.person),
        "spread_url": address(pair="same", person=need.person) if need.spread is not None else None,
        "closest_url": address(person=need.person, other=need.nearest) if need.nearest else None,
    }
