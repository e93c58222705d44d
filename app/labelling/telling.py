"""What was decided lately, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from app.labelling.workspace import Workspace
from app.store import changes, queries
from app.store.traces import ERASED

Json = dict[str, Any]

# Under what a decision keeps whom it is about, where that is not whom the face is.
_WHOM = {"reject": "rejected", "unreject": "accepted"}
_SHOWN = 4
"""faces of a decision that a list shows"""
_LOOKED = 50


def recent_decisions(workspace: Workspace, limit: int = 10) -> list[Json]:
    """What was decided last, newest first: {"decision_id", "what", "who", "created", "undone", "can_undo", "face_ids"}.

    who: the name of whoever decided it, None if unknown. can_undo: it stands, and what it changed is on record.
    face_ids: up to four of its faces that are still there.
    """
    with workspace.database.read() as connection:
        actions = changes.newest_actions(connection, limit)
        standing = set(changes.newest_actions(connection, limit, standing=True))
        decided = changes.decisions_of(connection, actions)
        names = _names(connection, [row for rows in decided.values() for row in rows])
        shown = _faces_shown(connection, decided)
        return [
            {
                "decision_id": action,
                "what": _in_words(decided[action], names),
                "who": decided[action][0].who,
                "created": decided[action][0].created_at,
                "undone": decided[action][0].undone_at is not None,
                "can_undo": action in standing,
                "face_ids": shown[action],
            }
            for action in actions
        ]


def describe(workspace: Workspace, decision_id: int) -> str:
    """What the action that begins with this decision was."""
    with workspace.database.read() as connection:
        return describe_action(connection, decision_id)


def describe_action(connection: Connection, action: int) -> str:
    """What was decided, such as "Named 14 faces Ana"."""
    decided = changes.decisions_of(connection, [action])[action]
    return _in_words(decided, _names(connection, decided))


def _faces_shown(connection: Connection, decided: dict[int, list[Row[Any]]]) -> dict[int, list[int]]:
    """A few faces of each action that are still there: those that were decided, else those that changed with it."""
    found = {}
    for action, rows in decided.items():
        about = list(dict.fromkeys(row.face_id for row in rows if row.face_id is not None))
        found[action] = about[:_LOOKED] or changes.faces_of(connection, action, _LOOKED)
    there = queries.faces_by_id(connection, {face_id for about in found.values() for face_id in about})
    return {action: [face_id for face_id in about if face_id in there][:_SHOWN] for action, about in found.items()}


def _names(connection: Connection, decided: Sequence[Row[Any]]) -> dict[int, str]:
    """Everyone's name, and the names of those that these decisions speak of and who are gone."""
    names = queries.names(connection)
    spoken_of = {row.after.get(_WHOM.get(row.kind, "person_id")) for row in decided}
    gone = {person for person in spoken_of if person is not None and person not in names}
    return names | changes.names_of_gone(connection, gone) if gone else names


def _in_words(decided: Sequence[Row[Any]], names: dict[int, str]) -> str:
    """The kind that most of the action is of comes first; "not this one" beside a name goes without saying."""
    if ERASED in decided[0].after:
        return "Something of which a part has been deleted for good"
    kinds = list(dict.fromkeys(row.kind for row in decided))
    told = [kind for kind in kinds if kind != "reject" or len(kinds) == 1]
    sentences = [_sentence(kind, [row for row in decided if row.kind == kind], names) for kind in told]
    first, *others = sentences
    return ", ".join([first, *(other[0].lower() + other[1:] for other in others)])


def _sentence(kind: str, rows: Sequence[Row[Any]], names: dict[int, str]) -> str:
    before, after = rows[0].before, rows[0].after
    whom = _WHOM.get(kind, "person_id")
    people = {names.get(row.after.get(whom), "someone") for row in rows}
    name = people.pop() if len(people) == 1 else "several people"
    faces = "a face" if len(rows) == 1 else f"{len(rows):,} faces"
    match kind:
        case "confirm":
            return f"Named {faces} {name}"
        case "move":
            return f"Moved {faces} to {name}"
        case "unlabel":
            return f"Let {faces} wait for a name again"
        case "reject":
            return f"Said that {faces} {'is' if len(rows) == 1 else 'are'} not {name}"
        case "unreject":
            return f"Allowed {faces} to be {name} again"
        case "ignore":
            return f"Ignored {faces}"
        case "not_a_face":
            return "Said that one is not a face" if len(rows) == 1 else f"Said that {len(rows):,} are not faces"
        case "skip":
            return f"Put off {faces}"
        case "recognise":
            return f"Changed whether {faces} {'is' if len(rows) == 1 else 'are'} used to recognise others"
        case "vouch":
            return f"Stood by the name of {faces}"
        case "draw":
            return f"Drew {faces}"
        case "rename":
            return f"Renamed {before.get('name')} to {after.get('name')}"
        case "merge":
            return f"Merged {before.get('name')} into {after.get('name')}"
        case "delete":
            return f"Deleted {before.get('name')}"
        case "cover":
            return f"Chose a picture for {after.get('name')}"
        case "reset":
            return "Reset the training data"
        case "restore":
            return "Restored a backup"
        case "erase":
            return f"Deleted {after.get('what', 'something')} for good"
        case "import":
            return f"Imported {after.get('faces', len(rows)):,} names"
        case "forget_answers":
            return "Forgot what was learnt from the answers"
        case _:
            return kind.replace("_", " ").capitalize()
