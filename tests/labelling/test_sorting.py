"""Faces that leave a person together, and the proposal which ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling import decisions, reading, sorting, telling
from app.labelling.answers import read_answers
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, names_in, rows, snapshot
from tests.labelling.saying import face_of, faces_of, name, named_photo
from tests.labelling.squares import upload
from tests.labelling.test_undoing import undone_leaves_no_trace


@pytest.fixture
def album(workspace: Workspace) -> Workspace:
    """alice has five faces: two are bob's in truth, one of them beside hers in one photo. zoe has one."""
    for take in range(2):
        named_photo(workspace, "alice", take=take)
    for who, photo in (("bob", 1), ("alice", 2)):
        party = upload(workspace, who, "bob" if photo == 2 else None, take=photo, name=f"{photo}.png")
        for face in faces_of(workspace, party):
            name(workspace, party, "alice", face["id"])
    named_photo(workspace, "zoe")
    return workspace


def alice(workspace: Workspace) -> int:
    return int(rows(workspace.settings.home, "SELECT id FROM people WHERE name = 'alice'")[0]["id"])


def truly_bob(workspace: Workspace) -> list[int]:
    """By where they are in their photos: the one alone in the third, the one on the right in the fourth."""
    found = rows(
        workspace.settings.home,
        "SELECT faces.id FROM faces JOIN photos ON photos.id = photo_id"
        " WHERE upload_name = '1.png' OR (upload_name = '2.png' AND faces.\"left\" > 64) ORDER BY faces.id",
    )
    return [row["id"] for row in found]


KINDS: dict[str, Callable[[Workspace], Any]] = {
    "move to someone new": lambda w: sorting.sort_faces(w, alice(w), truly_bob(w), "bob", None),
    "move to someone known": lambda w: sorting.sort_faces(w, alice(w), truly_bob(w), "zoe", ""),
    "take the name back": lambda w: sorting.sort_faces(w, alice(w), truly_bob(w), "", "unlabel"),
    "say that they are not": lambda w: sorting.sort_faces(w, alice(w), truly_bob(w), None, "reject"),
    "split to someone new": lambda w: sorting.split(w, alice(w), truly_bob(w), "bob"),
    "split to nobody yet": lambda w: sorting.split(w, alice(w), truly_bob(w), " "),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_undone_without_a_trace(album: Workspace, kind: str) -> None:
    undone_leaves_no_trace(album, lambda: KINDS[kind](album))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("move to someone new", "Moved 2 faces to bob"),
        ("take the name back", "Let 2 faces wait for a name again"),
        ("split to nobody yet", "Said that 2 faces are not alice"),
    ],
)
def test_all_faces_together_are_one_action(album: Workspace, kind: str, words: str) -> None:
    before = len(telling.recent_decisions(album, 100))
    decision = KINDS[kind](album)
    told = telling.recent_decisions(album, 100)
    assert len(told) == before + 1
    assert (told[0]["decision_id"], told[0]["what"]) == (decision, words)
    assert told[0]["face_ids"] == truly_bob(album)


def test_faces_that_move_are_remembered_not_to_be_the_old_ones(album: Workspace, home: Path) -> None:
    sorting.sort_faces(album, alice(album), truly_bob(album), "bob", None)
    assert {row["face_id"]: row["person_id"] for row in rows(home, "SELECT * FROM rejections")} == dict.fromkeys(
        truly_bob(album), alice(album)
    )
    assert names_in(home).count("bob") == 2
    assert_consistent(album)


def test_faces_that_are_let_go_may_be_suggested_again(album: Workspace, home: Path) -> None:
    sorting.sort_faces(album, alice(album), truly_bob(album), None, "unlabel")
    assert rows(home, "SELECT * FROM rejections") == []
    assert reading.read_face(album, truly_bob(album)[0])["status"] == "inbox"


def test_faces_that_split_off_are_never_suggested_as_her_again(album: Workspace) -> None:
    assert reading.read_face(album, truly_bob(album)[0])["label"] == "alice"
    sorting.split(album, alice(album), truly_bob(album), None)
    for face in truly_bob(album):
        assert "alice" not in [each["label"] for each in reading.read_face(album, face)["candidates"]]
    assert_consistent(album)


def test_an_answer_that_is_taken_back_in_bulk_is_none(album: Workspace) -> None:
    with album.database.read() as connection:
        before = len(read_answers(connection))
    sorting.sort_faces(album, alice(album), truly_bob(album), None, "unlabel")
    with album.database.read() as connection:
        assert len(read_answers(connection)) == before - 2


def test_the_split_proposes_who_is_someone_else(album: Workspace) -> None:
    told = sorting.read_split(album, alice(album))
    assert told["leaving"] == truly_bob(album)
    assert told["name"] == "alice"
    sorting.split(album, alice(album), told["leaving"], "bob")
    assert sorting.read_split(album, alice(album))["leaving"] == []


def test_the_same_face_twice_is_one_face(album: Workspace) -> None:
    sorting.sort_faces(album, alice(album), truly_bob(album) * 2, "bob", None)
    assert_consistent(album)


def test_everyone_may_move_but_not_split_off(album: Workspace) -> None:
    everyone = [face["id"] for face in reading.read_person(album, alice(album))["faces"]]
    with pytest.raises(InvalidInput, match="Every face is ticked"):
        sorting.split(album, alice(album), everyone, "bob")
    sorting.sort_faces(album, alice(album), everyone, "bob", None)
    assert [person["name"] for person in reading.read_people(album)] == ["bob", "zoe"]
    assert_consistent(album)


@pytest.mark.parametrize(
    ("faces", "label", "action", "error"),
    [
        ([], "bob", None, InvalidInput),
        (None, "", None, InvalidInput),
        (None, None, "ignore", InvalidInput),
        (None, "alice", None, Conflict),
        ([4711], "bob", None, NotFound),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    album: Workspace,
    home: Path,
    faces: list[int] | None,
    label: str | None,
    action: str | None,
    error: type[Exception],
) -> None:
    before = snapshot(home)
    with pytest.raises(error):
        sorting.sort_faces(album, alice(album), truly_bob(album) if faces is None else faces, label, action)
    assert snapshot(home) == before


def test_one_face_that_has_another_name_by_now_stops_all(album: Workspace, home: Path) -> None:
    decisions.move(album, truly_bob(album)[1], "zoe")
    before = snapshot(home)
    for act in (
        lambda: sorting.sort_faces(album, alice(album), truly_bob(album), "bob", None),
        lambda: sorting.split(album, alice(album), truly_bob(album), "bob"),
    ):
        with pytest.raises(Conflict, match="not named alice any more"):
            act()
    assert snapshot(home) == before


def test_who_is_not_known_has_no_faces_to_sort(album: Workspace) -> None:
    waiting = face_of(album, upload(album, "carol", name="carol.png"))
    for person in (4711, 0):
        with pytest.raises(NotFound):
            sorting.sort_faces(album, person, [waiting], "bob", None)
        with pytest.raises(NotFound):
            sorting.read_split(album, person)
