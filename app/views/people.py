"""Everyone who has a name, and what a human says about one of them as a whole."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, flash, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from app.errors import InvalidInput
from app.http import next_page, tell_decision, wants_html, whole_number, workspace
from app.labelling import doubts, people, reading, sorting, standing

bp = Blueprint("people", __name__, url_prefix="/people")

_PEOPLE_A_PAGE, _FACES_A_PAGE = 240, 120


@bp.get("/")
def index() -> ResponseReturnValue:
    words = request.args.get("q", "").strip()
    found = standing.list_people(workspace(), words)
    if not wants_html():
        return jsonify({"people": found})
    shown, pages = _page(found, _PEOPLE_A_PAGE)
    wrong = doubts.count_doubts(workspace()) if found else 0
    return render_template(
        "people/index.html", page="people", people=shown, total=len(found), words=words, wrong=wrong, pages=pages
    )


@bp.get("/<id:person_id>/")
def show(person_id: int) -> ResponseReturnValue:
    person = standing.show_person(workspace(), person_id)
    if not wants_html():
        return jsonify(person)
    faces, pages = _page(person["faces"], _FACES_A_PAGE)
    return render_template("people/show.html", **_with_names(person), faces=faces, pages=pages)


@bp.post("/<id:person_id>/rename", strict_slashes=False)
def rename(person_id: int) -> ResponseReturnValue:
    try:
        decision = people.rename(workspace(), person_id, request.form.get("name"))
    except people.NameTaken as taken:
        if not wants_html():
            raise
        flash(taken.message, "info")
        return next_page("people.compare", person_id=person_id, into_id=taken.details["person_id"])
    return _answer(person_id, decision)


@bp.get("/<id:person_id>/merge", strict_slashes=False)
def compare(person_id: int) -> ResponseReturnValue:
    pair = standing.compare(workspace(), person_id, request.args.get("into"), whole_number("into_id"))
    return render_template("people/merge.html", page="people", **pair) if wants_html() else jsonify(pair)


@bp.post("/<id:person_id>/merge", strict_slashes=False)
def merge(person_id: int) -> ResponseReturnValue:
    other, decision = people.merge(workspace(), person_id, request.form.get("into"), whole_number("into_id"))
    return _answer(other, decision)


@bp.post("/<id:person_id>/delete", strict_slashes=False)
def delete(person_id: int) -> ResponseReturnValue:
    person = standing.show_person(workspace(), person_id)
    decision = people.delete(workspace(), person_id)
    if not wants_html():
        return jsonify(person)
    tell_decision(decision, "people")
    return next_page("people.index")


@bp.post("/<id:person_id>/cover", strict_slashes=False)
def cover(person_id: int) -> ResponseReturnValue:
    chosen = _faces()
    if len(chosen) > 1:
        raise InvalidInput("Tick one face only: it becomes the picture.")
    return _answer(person_id, people.choose_cover(workspace(), person_id, chosen[0] if chosen else None))


@bp.post("/<id:person_id>/faces", strict_slashes=False)
def sort(person_id: int) -> ResponseReturnValue:
    label, action = request.form.get("label"), request.form.get("action")
    return _answer(person_id, sorting.sort_faces(workspace(), person_id, _faces(), label, action))


@bp.get("/<id:person_id>/split", strict_slashes=False)
def propose_split(person_id: int) -> ResponseReturnValue:
    person = sorting.read_split(workspace(), person_id)
    return render_template("people/split.html", **_with_names(person)) if wants_html() else jsonify(person)


@bp.post("/<id:person_id>/split", strict_slashes=False)
def split(person_id: int) -> ResponseReturnValue:
    return _answer(person_id, sorting.split(workspace(), person_id, _faces(), request.form.get("label")))


def _answer(person_id: int, decision: int) -> ResponseReturnValue:
    person = standing.show_person(workspace(), person_id, gone=True)
    if not wants_html():
        return jsonify(person)
    tell_decision(decision, f"person:{person_id}" if person["count"] else "people")
    return next_page("people.show", person_id=person_id) if person["count"] else next_page("people.index")


def _faces() -> list[int]:
    """The fields face_id. Raises InvalidInput."""
    values = [value.strip() for value in request.form.getlist("face_id")]
    if not all(value.isascii() and value.isdigit() and len(value) < 16 for value in values):
        raise InvalidInput("face_id must be a whole number.")
    return [int(value) for value in values]


def _with_names(person: dict[str, Any]) -> dict[str, Any]:
    """What the page of one person needs."""
    names = [other["name"] for other in reading.read_people(workspace()) if other["id"] != person["id"]]
    return {"page": "people", "person": person, "names": names}


def _page(rows: list[Any], size: int) -> tuple[list[Any], dict[str, Any]]:
    """The rows of the page that is asked for, and the way to the others."""
    last = max(1, -(-len(rows) // size))
    number = min(max(request.args.get("page", 1, type=int), 1), last)

    def address(other: int) -> str | None:
        asked = request.args.to_dict() | {"page": str(other)}
        return f"{request.path}?{urlencode(asked)}" if 1 <= other <= last else None

    before = (number - 1) * size
    pages = {"number": number, "last": last, "before": before}
    return rows[before : before + size], pages | {"previous": address(number - 1), "next": address(number + 1)}
