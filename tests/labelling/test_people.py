"""What is said about a person as a whole: rows, files and train.pickle stay in step, and undo leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling import decisions, doubts, people, reading, telling, undoing
from app.labelling.people import NameTaken
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, files_in, names_in, rows, snapshot
from tests.labelling.saying import face_of, faces_of, name, named_photo
from tests.labelling.squares import upload
from tests.labelling.test_resetting import fill_reserve, reset
from tests.labelling.test_undoing import everything, undone_leaves_no_trace


@pytest.fixture
def album(workspace: Workspace) -> Workspace:
    """alice has three faces, one of them beside bob, who has two; carol waits and is neither, as was said. One of
    alice's faces was bob's at first, and one of them was vouched for."""
    named_photo(workspace, "alice")
    named_photo(workspace, "bob")
    party = upload(workspace, "alice", "bob", name="party.png")
    for face in faces_of(workspace, party):
        name(workspace, party, "alice" if face["box"][3] < 64 else "bob", face["id"])
    moved = named_photo(workspace, "alice", take=1)
    decisions.move(workspace, face_of(workspace, moved), "bob")
    decisions.move(workspace, face_of(workspace, moved), "alice")
    doubts.vouch(workspace, face_of(workspace, moved))
    carol = face_of(workspace, upload(workspace, "carol", name="carol.png"))
    decisions.reject(workspace, carol, "alice")
    decisions.reject(workspace, carol, "bob")
    return workspace


def id_of(workspace: Workspace, label: str) -> int:
    (row,) = rows(workspace.settings.home, "SELECT id FROM people WHERE name = ?", label)
    return int(row["id"])


def known(workspace: Workspace) -> dict[str, int]:
    return {person["name"]: person["count"] for person in reading.read_people(workspace)}


def training(home: Path) -> list[str]:
    return sorted(path.removeprefix("training/") for path in files_in(home) if path.startswith("training/"))


def forget(workspace: Workspace, label: str) -> int:
    """Leave a name without a face; whose it is."""
    person = id_of(workspace, label)
    for face in reading.read_person(workspace, person)["faces"]:
        decisions.unlabel(workspace, face["id"])
    return person


KINDS: dict[str, Callable[[Workspace], object]] = {
    "rename": lambda w: people.rename(w, id_of(w, "alice"), "Ána María"),
    "rename to a name whose file is the same": lambda w: people.rename(w, id_of(w, "alice"), "alice."),
    "merge": lambda w: people.merge(w, id_of(w, "alice"), "bob"),
    "merge the other way": lambda w: people.merge(w, id_of(w, "bob"), None, id_of(w, "alice")),
    "delete": lambda w: people.delete(w, id_of(w, "alice")),
    "cover": lambda w: people.choose_cover(w, id_of(w, "alice"), last_face(w, "alice")),
}


def last_face(workspace: Workspace, label: str) -> int:
    return max(face["id"] for face in reading.read_person(workspace, id_of(workspace, label))["faces"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_undone_without_a_trace(album: Workspace, kind: str) -> None:
    undone_leaves_no_trace(album, lambda: KINDS[kind](album))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_one_action_with_words(album: Workspace, home: Path, kind: str) -> None:
    before = telling.recent_decisions(album, 100)
    KINDS[kind](album)
    told, *rest = telling.recent_decisions(album, 100)
    assert len(rest) == len(before)
    assert any(label in told["what"] for label in ("alice", "bob"))
    assert "someone" not in told["what"]


def test_a_rename_keeps_the_person_and_renames_the_files(album: Workspace, home: Path) -> None:
    person = id_of(album, "alice")
    people.rename(album, person, "  Ána  María ")
    assert id_of(album, "Ána María") == person
    assert known(album) == {"Ána María": 3, "bob": 2}
    assert training(home) == ["bob_01.png", "Ána María_01.png", "Ána María_02.png", "Ána María_03.png"]
    assert "alice" not in names_in(home)
    assert_consistent(album)


def test_a_rename_takes_the_numbers_that_are_free(album: Workspace, home: Path) -> None:
    (home / "datasets/training/zoe_02.png").write_bytes(b"somebody's own")
    people.rename(album, id_of(album, "alice"), "zoe")
    assert [file for file in training(home) if file.startswith("zoe")] == [f"zoe_0{n}.png" for n in range(1, 5)]
    assert_consistent(album, foreign=["training/zoe_02.png"])


def test_a_file_that_is_named_right_already_stays(album: Workspace, home: Path) -> None:
    before = training(home)
    people.rename(album, id_of(album, "alice"), "alice.")
    assert training(home) == before
    assert_consistent(album)


def test_a_name_that_someone_has_is_not_given_twice(album: Workspace, home: Path) -> None:
    before = snapshot(home)
    with pytest.raises(NameTaken, match="named bob already") as refused:
        people.rename(album, id_of(album, "alice"), "bob")
    assert refused.value.status == 409
    assert refused.value.details == {"person_id": id_of(album, "bob"), "url": f"/people/{id_of(album, 'bob')}/"}
    assert snapshot(home) == before


def test_a_name_that_no_face_has_is_free(album: Workspace, home: Path) -> None:
    gone, person = forget(album, "bob"), id_of(album, "alice")
    people.rename(album, person, "bob")
    assert known(album) == {"bob": 3}
    assert id_of(album, "bob") == person
    assert person != gone
    said = rows(home, "SELECT person_id FROM rejections")
    assert {row["person_id"] for row in said} == {person}, "what was said of the name is not forgotten"
    assert_consistent(album)


def test_taking_a_free_name_is_undone_without_a_trace(album: Workspace) -> None:
    forget(album, "bob")
    undone_leaves_no_trace(album, lambda: people.rename(album, id_of(album, "alice"), "bob"))


def test_a_free_name_keeps_its_faces_of_before_a_reset(album: Workspace, home: Path) -> None:
    fill_reserve(home)
    named_photo(album, "zoe")
    reset(album)
    assert "zoe" not in known(album)
    (newcomer,) = {face["label"] for face in reading.read_person(album, first_person(album))["faces"]}
    person = id_of(album, newcomer)
    before = everything(home)
    of_the_past = rows(home, "SELECT id, named_for FROM photos WHERE state = 'retired' ORDER BY id")
    people.rename(album, person, "zoe")
    assert_consistent(album)
    undoing.undo(album)
    assert everything(home) == before
    assert rows(home, "SELECT id, named_for FROM photos WHERE state = 'retired' ORDER BY id") == of_the_past


def first_person(workspace: Workspace) -> int:
    return int(reading.read_people(workspace)[0]["id"])


def test_what_rests_on_a_name_that_was_let_go_waits_for_the_rename_to_be_undone(album: Workspace, home: Path) -> None:
    forget(album, "bob")
    unlabelled = rows(home, "SELECT MAX(id) AS id FROM decisions")[0]["id"]
    before = everything(home)
    people.rename(album, id_of(album, "alice"), "bob")
    with pytest.raises(Conflict, match="undo that first"):
        undoing.undo(album, unlabelled)
    undoing.undo(album)
    assert everything(home) == before
    undoing.undo(album, unlabelled)
    assert_consistent(album)


def test_a_reset_is_not_undone_for_someone_who_was_let_go(album: Workspace, home: Path) -> None:
    fill_reserve(home)
    named_photo(album, "zoe")
    before = known(album)
    reset(album)
    (reset_id,) = (row["id"] for row in rows(home, "SELECT id FROM decisions WHERE kind = 'reset'"))
    named_photo(album, "frank", take=3)
    people.rename(album, id_of(album, "frank"), "zoe")
    with pytest.raises(Conflict, match="undo that first"):
        undoing.undo(album, reset_id)
    undoing.undo(album)
    undoing.undo(album, reset_id)
    assert known(album) == before | {"frank": 1}
    assert_consistent(album)


def test_an_old_name_that_someone_else_has_by_now_is_not_given_back(album: Workspace, home: Path) -> None:
    person = id_of(album, "alice")
    renamed = people.rename(album, person, "zoe")
    named_photo(album, "alice", take=9)
    before = snapshot(home)
    with pytest.raises(Conflict, match="undo that first"):
        undoing.undo(album, renamed)
    assert snapshot(home) == before


def test_a_merge_gives_every_face_the_other_name(album: Workspace, home: Path) -> None:
    alice, bob = id_of(album, "alice"), id_of(album, "bob")
    assert people.merge(album, alice, "bob")[0] == bob
    assert known(album) == {"bob": 5}
    assert training(home) == [f"bob_0{n}.png" for n in range(1, 5)]
    assert set(names_in(home)) == {"bob"}
    assert_consistent(album)


def test_what_was_said_of_either_is_said_of_the_one_they_are(album: Workspace, home: Path) -> None:
    alice, bob = id_of(album, "alice"), id_of(album, "bob")
    (carol,) = rows(home, "SELECT id FROM faces WHERE status = 'inbox'")
    people.merge(album, alice, "bob")
    assert rows(home, "SELECT * FROM rejections") == [{"face_id": carol["id"], "person_id": bob}]
    assert {row["person_id"] for row in rows(home, "SELECT person_id FROM vouches")} == {bob}


def test_the_faces_of_before_a_reset_keep_their_name_in_a_merge(album: Workspace, home: Path) -> None:
    fill_reserve(home)
    reset(album)
    named_photo(album, "alice", take=7)
    named_photo(album, "bob", take=7)
    past = "SELECT faces.id, person_id FROM faces JOIN photos ON photos.id = photo_id WHERE state = 'retired'"
    before = rows(home, past)
    people.merge(album, id_of(album, "alice"), "bob")
    assert rows(home, past) == before
    assert_consistent(album)


def test_the_gallery_of_another_worker_follows_a_merge(
    album: Workspace, home: Path, open_workspace: Callable[[], Workspace]
) -> None:
    other = open_workspace()
    assert len(set(other.view_gallery().persons.tolist())) == 2
    people.merge(album, id_of(album, "alice"), "bob")
    assert set(other.view_gallery().persons.tolist()) == {id_of(album, "bob")}
    undoing.undo(album)
    assert len(set(other.view_gallery().persons.tolist())) == 2


def test_whom_to_merge_with_is_said_by_name_or_by_number(album: Workspace) -> None:
    alice, bob = id_of(album, "alice"), id_of(album, "bob")
    with album.database.read() as connection:
        assert people.find_other(connection, alice, " bob ").id == bob
        assert people.find_other(connection, alice, str(bob)).id == bob
        assert people.find_other(connection, alice, None, bob).id == bob


def test_a_name_that_is_someone_elses_number_is_not_guessed_at(album: Workspace, home: Path) -> None:
    alice, bob = id_of(album, "alice"), id_of(album, "bob")
    named_photo(album, str(bob))
    with album.database.read() as connection:
        with pytest.raises(InvalidInput, match="into_id"):
            people.find_other(connection, alice, str(bob))
        assert people.find_other(connection, alice, str(bob), bob).id == bob
        assert people.find_other(connection, bob, str(id_of(album, str(bob)))).name == str(bob)


@pytest.mark.parametrize(
    ("into", "error"), [("", InvalidInput), (None, InvalidInput), ("nobody", NotFound), ("4711", NotFound)]
)
def test_nobody_is_merged_with_nobody(album: Workspace, home: Path, into: str | None, error: type[Exception]) -> None:
    before = snapshot(home)
    with pytest.raises(error):
        people.merge(album, id_of(album, "alice"), into)
    assert snapshot(home) == before


def test_nobody_is_merged_with_themselves_or_with_a_name_without_faces(album: Workspace) -> None:
    with pytest.raises(InvalidInput, match="themselves"):
        people.merge(album, id_of(album, "alice"), "alice")
    gone = forget(album, "bob")
    for into in ("bob", str(gone)):
        with pytest.raises(NotFound):
            people.merge(album, id_of(album, "alice"), into)


def test_the_faces_of_someone_deleted_wait_again(album: Workspace, home: Path) -> None:
    people.delete(album, id_of(album, "alice"))
    assert known(album) == {"bob": 2}
    assert reading.read_counts(album)["inbox"] == 4
    assert training(home) == ["bob_01.png", "bob_02.png"]
    assert_consistent(album)
    assert telling.recent_decisions(album, 1)[0]["what"].startswith("Deleted alice, let 3 faces wait")


def test_the_last_person_can_be_deleted(workspace: Workspace, home: Path) -> None:
    named_photo(workspace, "alice")
    people.delete(workspace, id_of(workspace, "alice"))
    assert names_in(home) == []
    assert_consistent(workspace)


def test_the_chosen_cover_counts_while_it_is_theirs(album: Workspace) -> None:
    person, chosen = id_of(album, "alice"), last_face(album, "alice")
    people.choose_cover(album, person, chosen)
    assert reading.read_person(album, person)["cover"] == reading.thumb_url(chosen)
    decisions.unlabel(album, chosen)
    left = min(face["id"] for face in reading.read_person(album, person)["faces"])
    assert reading.read_person(album, person)["cover"] == reading.thumb_url(left)


def test_a_cover_is_one_of_the_persons_own_faces(album: Workspace, home: Path) -> None:
    person, chosen = id_of(album, "alice"), last_face(album, "alice")
    people.choose_cover(album, person, chosen)
    before = snapshot(home)
    refused: list[tuple[Any, type[Exception]]] = [
        (None, InvalidInput), (4711, NotFound), (last_face(album, "bob"), Conflict), (chosen, Conflict),
    ]  # fmt: skip
    for face_id, error in refused:
        with pytest.raises(error):
            people.choose_cover(album, person, face_id)
    assert snapshot(home) == before


@pytest.mark.parametrize("label", ["", " ", "x" * 81, "a\nb", None])
def test_a_name_that_is_none_is_refused(album: Workspace, home: Path, label: str | None) -> None:
    before = snapshot(home)
    with pytest.raises(InvalidInput):
        people.rename(album, id_of(album, "alice"), label)
    assert snapshot(home) == before


def test_the_same_name_again_changes_nothing(album: Workspace, home: Path) -> None:
    before = snapshot(home)
    with pytest.raises(Conflict, match="already"):
        people.rename(album, id_of(album, "alice"), "alice ")
    assert snapshot(home) == before


@pytest.mark.parametrize("person", ["nobody", "without a face"])
def test_who_is_not_known_is_not_found(album: Workspace, home: Path, person: str) -> None:
    id_ = 4711 if person == "nobody" else forget(album, "bob")
    before = snapshot(home)
    for act in (
        lambda: people.rename(album, id_, "zoe"),
        lambda: people.merge(album, id_, "alice"),
        lambda: people.delete(album, id_),
        lambda: people.choose_cover(album, id_, last_face(album, "alice")),
    ):
        with pytest.raises(NotFound):
            act()
    assert snapshot(home) == before
