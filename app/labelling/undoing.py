"""Taking back what was decided: rows, files and train.pickle become what they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.errors import Conflict, NotFound, ScopeNeeded
from app.labelling import unresetting
from app.labelling.placing import place_photo
from app.labelling.telling import describe_action
from app.labelling.workspace import Work, Workspace
from app.store import changes, queries
from app.store.changes import FACE, PERSON, PHOTO, Change
from app.store.traces import ERASED

Json = dict[str, Any]

# Only administrators can decide these, so only they can take them back.
_OF_ADMINISTRATORS = {"reset", "forget_answers"}
_CHANGED_SINCE = "What this changed has been changed again since: undo that first. Nothing was changed."


def undo(workspace: Workspace, decision_id: int | None = None, *, is_admin: bool = True) -> Json:
    """Take back what was decided last, or the action that a decision belongs to: {"decision_id", "what", "face_ids"}.

    Raises NotFound when there is no such decision, and Conflict when it was taken back already, when there is nothing
    to take back, or when what it changed has been changed again since: that is to be undone first; ScopeNeeded for what
    takes an administrator.
    """
    with workspace.changing() as work:
        action = _choose(work, decision_id)
        kinds = {row.kind for row in changes.decisions_of(work.connection, [action])[action]}
        if kinds & _OF_ADMINISTRATORS and not is_admin:
            raise ScopeNeeded("This needs scope admin: only administrators can take back what they alone can decide.")
        found = changes.of_action(work.connection, action)
        told = {
            "decision_id": action,
            "what": describe_action(work.connection, action),
            "face_ids": [change.row_id for change in found if change.kind == FACE],
        }
        _refuse_if_changed_since(work, found)
        undone = queries.add_decision(work.connection, "undo", before={}, after={"undone": action})
        if unresetting.is_reset(found):
            unresetting.bring_back(workspace, work, found, action, undone)
        else:
            _put_back(workspace, work, found)
        changes.mark_undone(work.connection, action)
    return told


def _choose(work: Work, decision_id: int | None) -> int:
    if decision_id is None:
        newest = changes.newest_actions(work.connection, 1, standing=True)
        if not newest:
            raise Conflict("There is nothing to undo.")
        return newest[0]
    action = changes.action_of(work.connection, decision_id)
    if action is None:
        raise NotFound("There is no such decision.")
    first = changes.decisions_of(work.connection, [action])[action][0]
    if ERASED in first.after:
        raise Conflict(
            "A part of what this changed has been deleted for good. It cannot be undone; nothing was changed."
        )
    if first.undone_at is not None:
        raise Conflict("This has been undone already. Nothing was changed.")
    if not changes.of_action(work.connection, action):
        raise Conflict("What this changed is not on record, so it cannot be undone. Nothing was changed.")
    return action


def _refuse_if_changed_since(work: Work, found: Sequence[Change]) -> None:
    for kind in (FACE, PERSON):
        now = changes.images(work.connection, kind, [change.row_id for change in found if change.kind == kind])
        if any(change.kind == kind and now[change.row_id] != change.after for change in found):
            raise Conflict(_CHANGED_SINCE)
    if not changes.people_fit(work.connection, found):
        raise Conflict(_CHANGED_SINCE)  # a rename has let one of them go, or someone else has the name by now


def _put_back(workspace: Workspace, work: Work, found: Sequence[Change]) -> None:
    made = [change for change in found if change.before is None]
    for change in sorted((change for change in found if change.kind != PHOTO), key=_people_first):
        if change.before is not None:
            more = {"revision": work.revision} if change.kind == FACE else {}
            changes.restore(work.connection, change.kind, change.row_id, change.before, **more)
        elif change.kind != PERSON:
            changes.remove(work.connection, change.kind, change.row_id, work.revision)
    places = {}
    for change in found:
        if change.kind == PHOTO and change.before and change.before["state"] != "live":
            changes.restore(work.connection, PHOTO, change.row_id, change.before)
        elif change.kind == PHOTO:
            places[change.row_id] = change.before
    for face in (change.after or change.before or {} for change in found if change.kind == FACE):
        places.setdefault(face["photo_id"], None)
    for photo_id, was in places.items():
        place_photo(workspace, work, photo_id, was)
    for change in made:  # nothing rests on them any more
        if change.kind == PERSON:
            changes.remove(work.connection, PERSON, change.row_id, work.revision)
    work.rewrite = work.rewrite or any(_was_published(change) for change in found)


def _people_first(change: Change) -> bool:
    return change.kind != PERSON


def _was_published(change: Change) -> bool:
    """Whether train.pickle speaks of it, before or after."""
    if change.kind == PERSON:
        return change.before is not None
    return any(image is not None and image.get("status") == "labelled" for image in (change.before, change.after))
