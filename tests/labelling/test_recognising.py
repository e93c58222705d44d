"""Flawed faces and repeated pictures: they carry a name, and are used to recognise others only if that makes sense."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling import decisions, erasing, reading, recognising, reviewing, sorting
from app.labelling.workspace import Workspace
from app.recognition.engine import Box, DetectedFace
from app.recognition.images import Photo
from app.recognition.openset import Suggestion
from tests.labelling.consistency import assert_consistent, names_in, rows, snapshot
from tests.labelling.saying import face_of, faces_of, name, named_photo, path_of
from tests.labelling.squares import SquaresEngine, upload

FLAWED = 9
"""Takes from here on are blurred."""


class HazyEngine(SquaresEngine):
    def encode_box(self, photo: Photo, box: Box) -> DetectedFace:
        face = super().encode_box(photo, box)
        take = int(photo.pixels[0, 0, 2])
        return replace(face, flaws=("blurred",)) if take >= FLAWED else face


@pytest.fixture
def engine() -> SquaresEngine:
    return HazyEngine()


def used(workspace: Workspace) -> set[int]:
    return set(workspace.view_gallery().face_ids.tolist())


def page(workspace: Workspace, photo: int) -> dict[str, object]:
    return reading.read_page(workspace, photo)[1][0]


def test_what_was_measured_is_kept_and_told(workspace: Workspace, home: Path) -> None:
    clear, hazy = upload(workspace, "ana"), upload(workspace, "ana", take=FLAWED)
    assert [faces_of(workspace, photo)[0]["flaws"] for photo in (clear, hazy)] == [[], ["blurred"]]
    assert rows(home, "SELECT flaws, low_quality FROM faces ORDER BY id") == [
        {"flaws": "", "low_quality": 0},
        {"flaws": "blurred", "low_quality": 1},
    ]
    assert page(workspace, hazy)["flaw_words"] == "Blurred"


def test_a_flawed_face_is_published_and_shown_but_not_used(workspace: Workspace, home: Path) -> None:
    named_photo(workspace, "ana")
    hazy = named_photo(workspace, "ana", take=FLAWED)
    assert names_in(home) == ["ana", "ana"]
    assert used(workspace) == {1}
    assert reading.read_people(workspace)[0]["count"] == 2
    assert (page(workspace, hazy)["used"], page(workspace, hazy)["recognise"]) == (False, None)
    assert_consistent(workspace)


def test_who_has_only_flawed_faces_is_still_suggested(workspace: Workspace) -> None:
    named_photo(workspace, "ana", take=FLAWED)
    waiting = upload(workspace, "ana", take=1)
    assert faces_of(workspace, waiting)[0]["predicted_label"] == "ana"
    name(workspace, waiting, "ana")
    assert used(workspace) == {2}


def test_another_worker_uses_the_same_faces(workspace: Workspace, open_workspace: Callable[[], Workspace]) -> None:
    named_photo(workspace, "ana", take=FLAWED)
    other = open_workspace()
    assert used(other) == {1}
    clear = named_photo(workspace, "ana")
    assert used(other) == used(workspace) == {2}
    decisions.unlabel(workspace, face_of(workspace, clear))
    assert used(other) == used(workspace) == {1}


@pytest.mark.parametrize(("use", "expected"), [("yes", {1, 2}), ("no", {1})])
def test_a_human_can_say_what_it_is_used_for(workspace: Workspace, home: Path, use: str, expected: set[int]) -> None:
    named_photo(workspace, "ana")
    hazy = named_photo(workspace, "ana", take=FLAWED)
    before = (home / "instance/train.pickle").read_bytes()
    recognising.set_use(workspace, 2, use)
    assert used(workspace) == expected
    assert page(workspace, hazy)["recognise"] is (use == "yes")
    recognising.set_use(workspace, 2, "auto")
    assert used(workspace) == {1}
    assert (home / "instance/train.pickle").read_bytes() == before
    assert_consistent(workspace)


def test_it_is_journalled_with_what_was_before(workspace: Workspace, home: Path) -> None:
    named_photo(workspace, "ana")
    recognising.set_use(workspace, 1, "no")
    recognising.set_use(workspace, 1, "auto")
    journal = rows(home, "SELECT face_id, before, after FROM decisions WHERE kind = 'recognise' ORDER BY id")
    assert journal == [
        {"face_id": 1, "before": '{"recognise": null}', "after": '{"recognise": false}'},
        {"face_id": 1, "before": '{"recognise": false}', "after": '{"recognise": null}'},
    ]


@pytest.mark.parametrize(
    ("face", "use", "error"),
    [
        (1, "maybe", InvalidInput),
        (1, "", InvalidInput),
        (1, None, InvalidInput),
        (9, "no", NotFound),
        (1, "auto", Conflict),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    workspace: Workspace, home: Path, face: int, use: str | None, error: type[Exception]
) -> None:
    named_photo(workspace, "ana")
    before = snapshot(home)
    with pytest.raises(error):
        recognising.set_use(workspace, face, use)
    assert snapshot(home) == before


def test_a_face_that_was_put_aside_is_not_asked_about(workspace: Workspace) -> None:
    upload(workspace, "ana")
    decisions.dismiss(workspace, 1, "ignore")
    with pytest.raises(Conflict, match="put aside"):
        recognising.set_use(workspace, 1, "yes")


# --- the same picture again


def again(workspace: Workspace, person: str) -> int:
    """Upload the first take of a person beside somebody else: the same face in another file."""
    return upload(workspace, person, None, name=f"{person}-again.png")


def test_the_same_picture_again_is_noticed_while_it_waits(workspace: Workspace) -> None:
    first = named_photo(workspace, "ana")
    shown = page(workspace, again(workspace, "ana"))
    assert shown["twin"] == {
        "label": "ana",
        "distance": 0.0,
        "thumb": "/faces/1/thumb.jpg",
        "url": f"/photos/{first}/#face-1",
    }


def test_another_picture_of_the_same_person_is_not(workspace: Workspace) -> None:
    named_photo(workspace, "ana")
    assert page(workspace, upload(workspace, "ana", take=1))["twin"] is None


def test_the_same_picture_again_is_named_and_not_used_twice(workspace: Workspace, home: Path) -> None:
    named_photo(workspace, "ana")
    twice = again(workspace, "ana")
    name(workspace, twice, "ana")
    assert names_in(home) == ["ana", "ana"]
    assert used(workspace) == {1}
    shown = page(workspace, twice)
    assert (shown["used"], shown["twin"] and shown["twin"]["label"]) == (False, "ana")
    recognising.set_use(workspace, 2, "yes")
    assert used(workspace) == {1, 2}
    assert_consistent(workspace)


def test_it_takes_the_place_of_the_first_when_that_goes(workspace: Workspace) -> None:
    named_photo(workspace, "ana")
    name(workspace, again(workspace, "ana"), "ana")
    decisions.move(workspace, 1, "ben")
    assert used(workspace) == {1, 2}
    decisions.move(workspace, 1, "ana")
    assert used(workspace) == {1}


def test_the_same_picture_under_another_name_is_no_repetition(workspace: Workspace) -> None:
    named_photo(workspace, "ana")
    twice = again(workspace, "ana")
    name(workspace, twice, "ben")
    assert used(workspace) == {1, 2}
    assert page(workspace, twice)["twin"] is None
    decisions.move(workspace, 2, "ana")
    assert used(workspace) == {1}


def test_of_the_same_picture_in_one_answer_the_first_stands_for_all(workspace: Workspace) -> None:
    for people in (("ana",), ("ana", None), (None, "ana")):
        upload(workspace, *people, name="ana.png")
    reviewing.answer(workspace, "confirm", "ana", [3, 1, 2])
    assert used(workspace) == {1}


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have somebody else do something when it has been worked out who a face is, and before that is decided."""
    real = Workspace.suggest

    def suggest(workspace: Workspace, encodings: list[bytes]) -> list[Suggestion]:
        found = real(workspace, encodings)
        monkeypatch.setattr(Workspace, "suggest", real)
        act()
        return found

    monkeypatch.setattr(Workspace, "suggest", suggest)


def test_the_same_picture_named_by_two_at_once_is_used_once(
    workspace: Workspace, open_workspace: Callable[[], Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, twice, other = upload(workspace, "ana"), again(workspace, "ana"), open_workspace()
    meanwhile(monkeypatch, lambda: name(other, first, "ana"))
    decisions.confirm(workspace, path_of(workspace, twice), "ana", 2)
    assert used(workspace) == used(other) == {1}
    assert_consistent(workspace)


def test_a_picture_whose_like_is_deleted_for_good_meanwhile_is_used(
    workspace: Workspace, open_workspace: Callable[[], Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, twice, other = named_photo(workspace, "ana"), again(workspace, "ana"), open_workspace()
    path = path_of(workspace, twice)
    meanwhile(monkeypatch, lambda: erasing.erase_photo(other, first, "DELETE"))
    decisions.confirm(workspace, path, "ana", 2)
    assert used(workspace) == {2}
    assert_consistent(workspace)


ANSWERS = {
    "confirm": lambda workspace, path: decisions.confirm(workspace, path, "ana", 2),
    "move": lambda workspace, _path: decisions.move(workspace, 1, "ben"),
    "reject": lambda workspace, _path: decisions.reject(workspace, 2, "ana"),
    "dismiss": lambda workspace, _path: decisions.dismiss(workspace, 2, "ignore"),
    "answer for a group": lambda workspace, _path: reviewing.answer(workspace, "confirm", "ana", [2]),
    "move several": lambda workspace, _path: sorting.sort_faces(workspace, 1, [1], "ben", None),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_others_decide_while_it_is_worked_out_who_a_face_is(
    workspace: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch, answer: Callable[[Workspace, str], object]
) -> None:
    """It takes longer than all the rest of a decision, and a team would stand in line for it."""
    named_photo(workspace, "ana")
    waiting = path_of(workspace, upload(workspace, "ana", take=1))
    refresh = Workspace.refresh_gallery

    def look(workspace: Workspace) -> None:
        with closing(sqlite3.connect(home / "instance/namesake.sqlite", timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")
        refresh(workspace)

    monkeypatch.setattr(Workspace, "refresh_gallery", look)
    answer(workspace, waiting)
