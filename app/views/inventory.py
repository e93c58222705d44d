"""What is stored here."""

from __future__ import annotations

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue

from app.http import wants_html, workspace
from app.labelling.inventory import read_inventory

bp = Blueprint("inventory", __name__)


@bp.get("/inventory/")
def show() -> ResponseReturnValue:
    stored = read_inventory(workspace())
    return (
        render_template("inventory/index.html", page="admin", stored=stored) if wants_html() else jsonify(stored=stored)
    )
