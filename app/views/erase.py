"""Deleting for good: what would go, and the form that does it."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, flash, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from app.http import is_ticked, next_page, wants_html, workspace
from app.labelling import erasing
from app.labelling.erasing import Erased

bp = Blueprint("erase", __name__)


@bp.get("/people/<id:person_id>/erase", strict_slashes=False)
def show_person(person_id: int) -> ResponseReturnValue:
    told = erasing.describe_person(workspace(), person_id)
    return render_template("erase/person.html", page="people", person=told) if wants_html() else jsonify(told)


@bp.post("/people/<id:person_id>/erase", strict_slashes=False)
def erase_person(person_id: int) -> ResponseReturnValue:
    confirm, photos, backups = request.form.get("confirm"), is_ticked("photos"), is_ticked("backups")
    erased = erasing.erase_person(workspace(), person_id, confirm, with_photos=photos, backups=backups)
    return _answer(erased, "people.index")


@bp.get("/photos/<id:photo_id>/erase", strict_slashes=False)
def show_photo(photo_id: int) -> ResponseReturnValue:
    told = erasing.describe_photo(workspace(), photo_id)
    return render_template("erase/photo.html", page="photos", photo=told) if wants_html() else jsonify(told)


@bp.post("/photos/<id:photo_id>/erase", strict_slashes=False)
def erase_photo(photo_id: int) -> ResponseReturnValue:
    confirm, backups = request.form.get("confirm"), is_ticked("backups")
    return _answer(erasing.erase_photo(workspace(), photo_id, confirm, backups=backups), "upload.show")


def _answer(erased: Erased, page: str) -> ResponseReturnValue:
    if not wants_html():
        return jsonify(asdict(erased))
    flash(erasing.in_words(erased), "success")
    for sentence in erasing.still_held(erased):
        flash(sentence, "info")
    if erased.backups:
        return next_page("admin.show", _anchor="backups")
    return next_page(page)
