"""The labelling loop: groups of faces, one answer each, and what every answer leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling import decisions, reviewing, undoing
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, names_in, rows
from tests.labelling.saying import face_of, named_photo
from tests.labelling.squares import upload
from tests.labelling.test_undoing import undone_leaves_no_trace


def group(workspace: Workspace) -> dict[str, Any]:
    found = reviewing.read_review(workspace)["group"]
    assert found is not None
    return dict(found)


def ids(found: dict[str, Any]) -> list[int]:
    return [face["id"] for face in found["faces"]]


@pytest.fixture
def waiting(workspace: Workspace) -> Workspace:
    """Five photos of alice, three of bob."""
    for person, takes in (("alice", 5), ("bob", 3)):
        for take in range(takes):
            upload(workspace, person, take=take, name=f"{person}-{take}.png")
    return workspace


def status(home: Path, face_id: int) -> str:
    return str(rows(home, "SELECT status FROM faces WHERE id = ?", face_id)[0]["status"])


def test_nothing_waits_at_first(workspace: Workspace) -> None:
    assert reviewing.read_review(workspace) == {
        "group": None,
        "remaining": {"faces": 0, "groups": 0, "decisions": 0},
    }


def test_the_largest_group_of_someone_new_comes_first(waiting: Workspace) -> None:
    review = reviewing.read_review(waiting)
    assert (review["group"]["kind"], len(review["group"]["faces"])) == ("new", 5)
    assert review["group"]["suggestion"] is None
    assert review["remaining"] == {"faces": 8, "groups": 2, "decisions": 2}


def test_one_answer_names_the_group(waiting: Workspace, home: Path) -> None:
    said = reviewing.answer(waiting, "confirm", "alice", ids(group(waiting)))
    assert (said["applied"], said["message"]) == (5, "Named 5 faces alice.")
    assert names_in(home) == ["alice"] * 5
    assert len(ids(group(waiting))) == 3
    assert_consistent(waiting)


def test_a_known_person_is_suggested_for_the_group_with_faces_to_compare(workspace: Workspace) -> None:
    for take in range(2):
        named_photo(workspace, "alice", take=take)
    for take in range(4, 8):
        upload(workspace, "alice", take=take, name=f"more-{take}.png")
    found = group(workspace)
    assert found["kind"] == "known"
    assert found["suggestion"]["label"] == "alice"
    assert found["suggestion"]["confidence"] > 0.5
    assert [candidate["label"] for candidate in found["candidates"]] == ["alice"]
    assert [near["label"] for near in found["known"]] == ["alice", "alice"]
    confidences = [face["confidence_score"] for face in found["faces"]]
    assert confidences == sorted(confidences)


def test_an_unticked_face_is_not_that_person_and_waits(waiting: Workspace, home: Path) -> None:
    *kept, odd = ids(group(waiting))
    reviewing.answer(waiting, "confirm", "alice", kept, [odd])
    assert status(home, odd) == "inbox"
    assert rows(home, "SELECT face_id FROM rejections") == [{"face_id": odd}]
    for _ in range(3):
        found = group(waiting)
        assert not (odd in ids(found) and found["suggestion"] and found["suggestion"]["label"] == "alice")
        reviewing.answer(waiting, "skip", None, ids(found))
    assert_consistent(waiting)


def test_none_of_them_may_be_that_person(waiting: Workspace, home: Path) -> None:
    named_photo(waiting, "carol")
    said = reviewing.answer(waiting, "confirm", "carol", [], ids(group(waiting)))
    assert said["message"] == "Noted: none of these is carol."
    assert len(rows(home, "SELECT * FROM rejections")) == 5
    assert_consistent(waiting)


def test_what_an_answer_bought_is_said(waiting: Workspace) -> None:
    first = ids(group(waiting))
    reviewing.answer(waiting, "confirm", "alice", first[:2], [])
    assert reviewing.what_it_bought(waiting, " alice ") == "3 more now look like alice."
    assert reviewing.what_it_bought(waiting, "bob") == ""


def test_ignored_strangers_take_their_look_alikes_with_them(waiting: Workspace, home: Path) -> None:
    first = ids(group(waiting))
    said = reviewing.answer(waiting, "ignore", None, first[:1])
    assert said["message"] == "Ignored 1 face, and 4 more just like them."
    assert {status(home, face_id) for face_id in first} == {"ignored"}
    late = face_of(waiting, upload(waiting, "alice", take=9, name="late.png"))
    assert status(home, late) == "ignored"
    assert len(ids(group(waiting))) == 3


def test_a_known_person_is_never_ignored_as_a_look_alike(workspace: Workspace, home: Path) -> None:
    for take in range(3):
        named_photo(workspace, "alice", take=take)
    decisions.dismiss(workspace, face_of(workspace, upload(workspace, "alice", take=5, name="5.png")), "ignore")
    late = face_of(workspace, upload(workspace, "alice", take=6, name="6.png"))
    assert status(home, late) == "inbox"


def test_what_is_skipped_comes_again_last(waiting: Workspace) -> None:
    first = ids(group(waiting))
    reviewing.answer(waiting, "skip", None, first)
    second = ids(group(waiting))
    assert set(second).isdisjoint(first)
    reviewing.answer(waiting, "skip", None, second)
    assert ids(group(waiting)) == first


@pytest.mark.parametrize("action", ["skip", "ignore", "not_a_face"])
def test_where_none_is_so_all_are_asked_about_later(waiting: Workspace, home: Path, action: str) -> None:
    first = ids(group(waiting))
    assert reviewing.answer(waiting, action, None, [], first)["message"] == "Put off 5 faces."
    assert {status(home, face_id) for face_id in first} == {"inbox"}
    assert set(ids(group(waiting))).isdisjoint(first)


def test_two_faces_in_one_photo_are_two_people(workspace: Workspace) -> None:
    upload(workspace, "alice", "alice", name="twins.png")
    for take in range(1, 4):
        upload(workspace, "alice", take=take, name=f"{take}.png")
    found = group(workspace)
    photos = [face["photo_id"] for face in found["faces"]]
    assert len(photos) == len(set(photos)) == 4


ANSWERS = {
    "confirm someone new": ("confirm", "alice", 1),
    "confirm someone known": ("confirm", "carol", 0),
    "confirm none": ("confirm", "carol", 5),
    "ignore": ("ignore", None, 1),
    "not a face": ("not_a_face", None, 0),
    "skip": ("skip", None, 0),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_every_answer_is_one_action_and_is_undone_without_a_trace(waiting: Workspace, what: str) -> None:
    action, label, unticked = ANSWERS[what]
    named_photo(waiting, "carol")
    found = ids(group(waiting))
    kept, rejected = found[unticked:], found[:unticked]
    review = reviewing.read_review(waiting)
    undone_leaves_no_trace(waiting, lambda: reviewing.answer(waiting, action, label, kept, rejected))
    assert reviewing.read_review(waiting)["remaining"] == review["remaining"]


BAD: dict[str, tuple[Any, ...]] = {
    "no face": (InvalidInput, "confirm", "alice", [], []),
    "no name": (InvalidInput, "confirm", " ", [1], []),
    "no such action": (InvalidInput, "burn", "alice", [1], []),
    "a face twice": (InvalidInput, "confirm", "alice", [1, 1], []),
    "ticked and not": (InvalidInput, "confirm", "alice", [1], [1]),
    "too many": (InvalidInput, "confirm", "alice", list(range(1, 1002)), []),
    "no such face": (NotFound, "confirm", "alice", [1, 4711], []),
    "no such unticked face": (NotFound, "confirm", "alice", [1], [4711]),
    "nothing to ignore": (InvalidInput, "ignore", None, [], []),
    "decided already": (Conflict, "confirm", "alice", [1, 2], []),
    "unticked, but decided already": (Conflict, "ignore", None, [1], [2]),
}


@pytest.mark.parametrize("what", BAD)
def test_what_makes_no_sense_changes_nothing(waiting: Workspace, home: Path, what: str) -> None:
    decisions.dismiss(waiting, 2, "not_a_face")
    before = (
        rows(home, "SELECT * FROM faces"),
        rows(home, "SELECT * FROM decisions"),
        rows(home, "SELECT * FROM people"),
    )
    error, *answer = BAD[what]
    with pytest.raises(error):
        reviewing.answer(waiting, *answer)
    assert before == (
        rows(home, "SELECT * FROM faces"),
        rows(home, "SELECT * FROM decisions"),
        rows(home, "SELECT * FROM people"),
    )


def test_undo_offers_the_group_again(waiting: Workspace) -> None:
    first = ids(group(waiting))
    reviewing.answer(waiting, "confirm", "alice", first)
    undoing.undo(waiting)
    assert sorted(ids(group(waiting))) == sorted(first)
