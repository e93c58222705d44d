"""Everyone who has a name."""

from __future__ import annotations

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue

from app.http import wants_html, workspace
from app.labelling import doubts, reading

bp = Blueprint("people", __name__, url_prefix="/people")


@bp.get("/")
def index() -> ResponseReturnValue:
    people = reading.read_people(workspace())
    if not wants_html():
        return jsonify({"people": people})
    shown = [person | {"url": f"/people/{person['id']}/"} for person in people]
    wrong = doubts.count_doubts(workspace()) if people else 0
    return render_template("people/index.html", page="people", people=shown, wrong=wrong)


@bp.get("/<id:person_id>/")
def show(person_id: int) -> ResponseReturnValue:
    person = reading.read_person(workspace(), person_id)
    if not wants_html():
        return jsonify(person)
    return render_template("people/show.html", page="people", person=person, faces=person["faces"])
