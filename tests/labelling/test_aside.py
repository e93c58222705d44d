"""What was put aside, and a "no" that is taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import Conflict
from app.labelling import answers, aside, decisions, doubts, recognising, reviewing, telling, undoing
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent
from tests.labelling.saying import face_of, name, named_photo
from tests.labelling.squares import upload
from tests.labelling.test_undoing import undone_leaves_no_trace


@pytest.fixture
def rejected(workspace: Workspace) -> int:
    """A face that looks like alice and was said not to be her."""
    named_photo(workspace, "alice")
    face_id = face_of(workspace, upload(workspace, "alice", take=7, name="seven.png"))
    decisions.reject(workspace, face_id, "alice")
    return face_id


def test_a_no_that_is_forgotten_is_suggested_again(workspace: Workspace, home: Path, rejected: int) -> None:
    before = reviewing.read_review(workspace, rejected)["group"]
    aside.accept(workspace, rejected, "alice")
    after = reviewing.read_review(workspace, rejected)["group"]
    assert before["suggestion"] is None
    assert after["suggestion"]["label"] == "alice"
    assert aside.read_aside(workspace)["faces"] == []
    assert_consistent(home)


def test_forgetting_a_no_can_be_undone(workspace: Workspace, rejected: int) -> None:
    undone_leaves_no_trace(workspace, lambda: aside.accept(workspace, rejected, "alice"))
    assert [face["id"] for face in aside.read_aside(workspace)["faces"]] == [rejected]


def test_a_no_is_forgotten_once(workspace: Workspace, rejected: int) -> None:
    aside.accept(workspace, rejected, "alice")
    with pytest.raises(Conflict):
        aside.accept(workspace, rejected, "alice")


def test_look_alikes_that_were_ignored_with_a_stranger_are_listed(workspace: Workspace) -> None:
    first = face_of(workspace, upload(workspace, "passer", take=1, name="one.png"))
    decisions.dismiss(workspace, first, "ignore")
    second = face_of(workspace, upload(workspace, "passer", take=2, name="two.png"))
    assert {face["id"] for face in aside.read_aside(workspace, "ignored")["faces"]} == {first, second}


def test_what_is_said_besides_leaves_the_answer_as_it_was(workspace: Workspace) -> None:
    def read() -> list[answers.Answer]:
        with workspace.database.read() as connection:
            return answers.read_answers(connection)

    for person in ("alice", "bob"):
        named_photo(workspace, person)
    named = name(workspace, upload(workspace, "bob", take=1, name="bob-1.png"), "bob")
    before = read()
    assert before[-1].accepted
    doubts.vouch(workspace, named)
    recognising.set_use(workspace, named, "no")
    assert read() == before
    decisions.move(workspace, named, "alice")
    before = read()
    aside.accept(workspace, named, "bob")
    assert read() == before


def test_someone_who_is_gone_keeps_their_name_in_the_list(workspace: Workspace) -> None:
    named_photo(workspace, "zoe")
    undoing.undo(workspace)
    newest = telling.recent_decisions(workspace, 1)[0]
    assert (newest["what"], newest["undone"]) == ("Named a face zoe", True)


def test_the_list_shows_only_faces_that_are_there(workspace: Workspace) -> None:
    face = face_of(workspace, upload(workspace, "bob", name="bob.png"))
    decisions.dismiss(workspace, face, "ignore")
    assert telling.recent_decisions(workspace, 1)[0]["face_ids"] == [face]
    with workspace.database.write() as connection:
        connection.exec_driver_sql("UPDATE faces SET status = 'removed' WHERE id = ?", (face,))
    assert telling.recent_decisions(workspace, 1)[0]["face_ids"] == []
