"""Logging in and out, and who else may come in."""

from __future__ import annotations

from contextlib import suppress

from flask import Blueprint, flash, g, jsonify, redirect, render_template, request, session
from flask.typing import ResponseReturnValue

from app.errors import Conflict, InvalidInput, NamesakeError, NotFound
from app.http import next_page, wants_html
from app.labelling.labels import clean_label
from app.security.gate import KEY, door
from app.security.origin import path_here

bp = Blueprint("access", __name__)


@bp.get("/login/")
def show_login() -> ResponseReturnValue:
    if not wants_html():
        return jsonify({"scope": g.caller.scope.word, "name": g.caller.name})
    return _show_form() if g.locked else redirect("/", 303)


@bp.post("/login/")
def log_in() -> ResponseReturnValue:
    if not g.locked:
        raise Conflict("There is no password to log in with. The command set-password sets one.")
    try:
        key = door().log_in(_password(), name=_name(), address=request.remote_addr or "")
    except NamesakeError as error:
        if not wants_html():
            raise
        return _show_form(error)
    _end_own_session()
    session.permanent = True
    session[KEY] = key
    if not wants_html():
        return jsonify({"message": "Logged in."})
    return redirect(path_here(request.form.get("next", "")), 303)


@bp.post("/logout/")
def log_out() -> ResponseReturnValue:
    _end_own_session()
    if not wants_html():
        return jsonify({"message": "Logged out."})
    flash("You are logged out.", "success")
    return next_page("access.show_login")


@bp.post("/sessions/<id:session_id>/end", strict_slashes=False)
def end_session(session_id: int) -> ResponseReturnValue:
    door().sessions.end(session_id)
    return _answer("The session has ended.")


@bp.post("/sessions/end", strict_slashes=False)
def end_sessions() -> ResponseReturnValue:
    door().sessions.end_all()
    return _answer("Every session has ended.")


@bp.post("/tokens/")
def create_token() -> ResponseReturnValue:
    token = door().tokens.create(clean_label(request.form.get("name")), request.form.get("scope", ""))
    # Not by way of a redirection: the token would have to travel in a cookie.
    return render_template("admin/token.html", page="admin", **token) if wants_html() else (jsonify(token), 201)


@bp.post("/tokens/<id:token_id>/revoke", strict_slashes=False)
def revoke_token(token_id: int) -> ResponseReturnValue:
    door().tokens.revoke(token_id)
    return _answer("The token is revoked.")


def _answer(message: str) -> ResponseReturnValue:
    if not wants_html():
        return jsonify({"message": message})
    flash(message, "success")
    return next_page("admin.show", _anchor="access")


def _show_form(error: NamesakeError | None = None) -> ResponseReturnValue:
    g.plain_page = True
    fields = {key: request.values.get(key, "") for key in ("next", "name", "ended")}
    page = render_template("access/login.html", error=error and error.message, **fields)
    return page, error.status if error else 200, error.headers if error else {}


def _password() -> str:
    password = request.form.get("password", "")
    if not password:
        raise InvalidInput("Type the password.")
    return password


def _name() -> str | None:
    name = request.form.get("name", "")
    return clean_label(name) if name.strip() else None


def _end_own_session() -> None:
    if g.caller.session_id is not None:
        with suppress(NotFound):  # ended meanwhile
            door().sessions.end(g.caller.session_id)
    session.clear()
