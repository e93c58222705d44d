"""What counts as an answer to a suggestion, and when it agrees: through the decisions themselves."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from app.labelling import decisions, reading, resetting
from app.labelling.adopting import import_pickle
from app.labelling.answers import Answer, find_answers, read_answers
from app.labelling.workspace import Workspace
from app.store import queries
from tests.labelling.saying import face_of, name, named_photo
from tests.labelling.squares import picture, upload


def told(workspace: Workspace) -> list[tuple[str | None, str, str | None, bool]]:
    """(suggested, said, given, accepted) of every answer."""
    with workspace.database.read() as connection:
        names = {None: None, **queries.names(connection)}
        return [(names[a.person], a.said, names[a.given], a.accepted) for a in read_answers(connection)]


def waiting(workspace: Workspace, person: str, take: int = 9) -> int:
    """A face of that person that nobody has decided."""
    return face_of(workspace, upload(workspace, person, take=take, name=f"{person}-{take}.png"))


def confirm(workspace: Workspace, face_id: int, label: str) -> None:
    decisions.confirm(workspace, reading.read_face(workspace, face_id)["image_path"], label, face_id)


def test_without_decisions_there_are_no_answers(workspace: Workspace) -> None:
    waiting(workspace, "ana")
    assert told(workspace) == []


def test_a_new_name_agrees_with_someone_new(workspace: Workspace) -> None:
    named_photo(workspace, "ana")
    named_photo(workspace, "bob")
    assert told(workspace) == [(None, "named", "ana", True), (None, "named", "bob", True)]


def test_the_name_that_was_suggested_agrees(workspace: Workspace) -> None:
    named_photo(workspace, "ana")
    named_photo(workspace, "ana", take=1)
    assert told(workspace)[-1] == ("ana", "named", "ana", True)


def test_another_name_does_not_agree(workspace: Workspace) -> None:
    named_photo(workspace, "ana")
    name(workspace, upload(workspace, "ana", take=1), "carla")
    assert told(workspace)[-1] == ("ana", "named", "carla", False)


def test_someone_new_was_wrong_of_a_person_who_had_the_name(workspace: Workspace) -> None:
    named_photo(workspace, "ana")
    name(workspace, upload(workspace, "bob"), "ana")
    assert told(workspace)[-1] == (None, "named", "ana", False)


@pytest.mark.parametrize(
    ("known", "action", "expected"),
    [
        (False, "ignore", (None, "ignored", None, True)),
        (True, "ignore", ("ana", "ignored", None, False)),
        (False, "not_a_face", (None, "not_a_face", None, False)),
        (True, "not_a_face", ("ana", "not_a_face", None, False)),
    ],
)
def test_a_dismissal_agrees_with_someone_new_only(
    workspace: Workspace, known: bool, action: str, expected: tuple[object, ...]
) -> None:
    named_photo(workspace, "ana" if known else "bob")
    decisions.dismiss(workspace, waiting(workspace, "ana"), action)
    assert told(workspace)[-1] == expected


def test_a_no_to_the_suggestion_is_an_answer_and_the_name_after_it_another(workspace: Workspace) -> None:
    named_photo(workspace, "ana")
    face = waiting(workspace, "ana")
    decisions.reject(workspace, face, "ana")
    confirm(workspace, face, "carla")
    assert told(workspace)[1:] == [("ana", "rejected", None, False), (None, "named", "carla", True)]


def test_a_no_to_somebody_else_is_none(workspace: Workspace) -> None:
    named_photo(workspace, "ana")
    named_photo(workspace, "bob")
    decisions.reject(workspace, waiting(workspace, "ana"), "bob")
    assert len(told(workspace)) == 2


def test_what_was_taken_back_does_not_count(workspace: Workspace) -> None:
    named_photo(workspace, "ana")
    face = waiting(workspace, "ana")
    confirm(workspace, face, "ana")
    decisions.unlabel(workspace, face)
    assert len(told(workspace)) == 1
    confirm(workspace, face, "bob")
    assert told(workspace)[1:] == [("ana", "named", "bob", False)]


def test_a_name_changed_later_counts_as_changed(workspace: Workspace) -> None:
    named_photo(workspace, "ana")
    face = waiting(workspace, "ana")
    confirm(workspace, face, "ana")
    decisions.move(workspace, face, "bob")
    assert told(workspace)[1:] == [("ana", "named", "bob", False)]
    decisions.move(workspace, face, "ana")
    assert told(workspace)[1:] == [("ana", "named", "ana", True)]


def test_a_name_refused_later_counts_as_refused(workspace: Workspace) -> None:
    named_photo(workspace, "ana")
    face = waiting(workspace, "ana")
    confirm(workspace, face, "ana")
    decisions.reject(workspace, face, "ana")
    assert told(workspace)[1:] == [("ana", "rejected", None, False)]


def test_a_name_given_by_a_later_move_was_not_in_use_before(workspace: Workspace) -> None:
    """The moved face keeps its place in train.pickle, which is no sign of when it got the name."""
    early = face_of(workspace, named_photo(workspace, "ana"))
    named_photo(workspace, "bob")
    decisions.move(workspace, early, "bob")
    assert told(workspace)[1] == (None, "named", "bob", True)


def test_a_name_from_a_pickle_was_in_use(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    named_photo(workspace, "ana")
    copy = tmp_path_factory.mktemp("pickle") / "train.pickle"
    copy.write_bytes(workspace.settings.pickle_path.read_bytes().replace(b"ana", b"eva"))
    import_pickle(workspace, copy)
    name(workspace, upload(workspace, "bob"), "eva")
    assert told(workspace)[-1][1:] == ("named", "eva", False)


def test_a_reset_forgets_which_names_were_in_use(workspace: Workspace, home: Path) -> None:
    named_photo(workspace, "ana")
    named_photo(workspace, "bob")
    folder = home / "datasets/reserve/bob"
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes(picture("bob", take=5))
    resetting.run_reset(workspace, resetting.request_reset(workspace), lambda *_: None)
    name(workspace, upload(workspace, "ana", take=7), "ana")
    name(workspace, upload(workspace, "cid", take=7), "bob")
    assert told(workspace) == [
        (None, "named", "ana", True),
        (None, "named", "bob", True),
        (None, "named", "ana", True),
        (None, "named", "bob", False),
    ]


def test_faces_named_in_one_go_do_not_know_of_each_other() -> None:
    """A group is offered as someone new, and all of it gets the new name in one transaction."""

    def confirmed(id_: int, face: int, order: int) -> SimpleNamespace:
        return SimpleNamespace(
            id=id_, kind="confirm", face_id=face, before={"status": "inbox"},
            after={"status": "labelled", "person_id": 1, "order": order},
            suggestion={"person_id": None, "confidence": 0.2, "best_id": 4, "chance": 0.9, "familiar": 0.2},
        )  # fmt: skip

    found = find_answers([confirmed(1, 1, 5), confirmed(2, 2, 5), confirmed(3, 3, 6)], [])  # type: ignore[list-item]
    assert found == [
        Answer(1, None, 0.2, 1, "named", True, 1, 4, 0.9, 0.2),
        Answer(2, None, 0.2, 1, "named", True, 2, 4, 0.9, 0.2),
        Answer(3, None, 0.2, 1, "named", False, 3, 4, 0.9, 0.2),
    ]
