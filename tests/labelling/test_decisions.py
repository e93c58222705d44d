"""Every decision changes the store, the folders and train.pickle together."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling import decisions, photos, reading
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, files_in, names_in, published, rows
from tests.labelling.saying import face_of, faces_of, name, named_photo, path_of
from tests.labelling.squares import colour_of, encoding_of, upload


def pickle_bytes(home: Path) -> bytes:
    return (home / "instance" / "train.pickle").read_bytes()


def journal(home: Path) -> list[dict[str, Any]]:
    """The decisions, oldest first."""
    found = rows(home, "SELECT kind, face_id, before, after, suggestion FROM decisions ORDER BY id")
    read = ("before", "after", "suggestion")
    return [row | {key: None if row[key] is None else json.loads(row[key]) for key in read} for row in found]


class TestConfirm:
    def test_the_first_one_ever_publishes_the_face(self, workspace: Workspace, home: Path) -> None:
        photo = upload(workspace, "alice", name="holiday.png")
        name(workspace, photo, "alice")
        assert path_of(workspace, photo) == "datasets/training/alice_01.png"
        assert names_in(home) == ["alice"]
        assert_consistent(workspace)

    def test_of_a_known_person_appends(self, workspace: Workspace, home: Path) -> None:
        for person in ("alice", "bob"):
            named_photo(workspace, person)
        before = pickle_bytes(home)
        named_photo(workspace, "alice", take=1)
        after = pickle_bytes(home)
        assert after[: len(before) - 1] == before[:-1]
        assert len(after) > len(before)
        assert names_in(home) == ["alice", "bob", "alice"]
        assert_consistent(workspace)

    def test_of_someone_new_renumbers_everyone(self, workspace: Workspace, home: Path) -> None:
        for person in ("mallory", "Zoë", "alice", "李小龙"):
            named_photo(workspace, person)
            assert_consistent(workspace)
        assert names_in(home) == ["mallory", "Zoë", "alice", "李小龙"]

    def test_is_known_to_the_next_upload(self, workspace: Workspace) -> None:
        for person in ("alice", "bob"):
            named_photo(workspace, person)
        answer = reading.read_photo(workspace, upload(workspace, "bob", take=7))
        assert answer["predicted_label"] == "bob"
        assert answer["confidence_score"] > 0.9

    def test_takes_the_most_prominent_face_unless_told_which(self, workspace: Workspace, home: Path) -> None:
        photo = upload(workspace, "left", "middle", "right")
        left, middle, right = (face["id"] for face in faces_of(workspace, photo))
        assert name(workspace, photo, "middle") == middle
        assert name(workspace, photo, "right", right) == right
        assert name(workspace, photo, "left", left) == left
        assert names_in(home) == ["middle", "right", "left"]
        assert_consistent(workspace)

    def test_understands_the_path_the_photo_was_uploaded_to(self, workspace: Workspace) -> None:
        photo = upload(workspace, "alice", "bob", name="party.png")
        first, second = (face["id"] for face in faces_of(workspace, photo))
        decisions.confirm(workspace, "datasets/uploads/party.png", "alice", first)
        decisions.confirm(workspace, "datasets/uploads/party.png", "bob", second)
        assert path_of(workspace, photo) == "datasets/training/alice_01.png"
        assert_consistent(workspace)

    @pytest.mark.parametrize("again", ["alice", "bob"])
    def test_twice_changes_nothing_and_says_so(self, workspace: Workspace, home: Path, again: str) -> None:
        photo = named_photo(workspace, "alice")
        before = pickle_bytes(home), files_in(home), journal(home)
        with pytest.raises(Conflict, match="already named alice"):
            name(workspace, photo, again)
        assert (pickle_bytes(home), files_in(home), journal(home)) == before
        assert_consistent(workspace)

    def test_of_a_dismissed_face_is_refused(self, workspace: Workspace) -> None:
        photo = upload(workspace, "alice")
        decisions.dismiss(workspace, face_of(workspace, photo), "ignore")
        with pytest.raises(Conflict):
            name(workspace, photo, "alice")
        assert_consistent(workspace)

    @pytest.mark.parametrize(
        ("image_path", "label", "error"),
        [
            (None, "alice", InvalidInput),
            ("  ", "alice", InvalidInput),
            ("datasets/uploads/photo.png", None, InvalidInput),
            ("datasets/uploads/photo.png", "   ", InvalidInput),
            ("datasets/uploads/photo.png", "a" * 81, InvalidInput),
            ("datasets/uploads/photo.png", "a\nb", InvalidInput),
            ("datasets/uploads/photo.png", "a\u202eb", InvalidInput),
            ("datasets/uploads/photo.png", "a\ud800b", InvalidInput),
            ("datasets/uploads/other.png", "alice", NotFound),
            ("../../../etc/passwd", "alice", NotFound),
            ("/etc/passwd", "alice", NotFound),
            ("datasets/uploads/../uploads/photo.png", "alice", NotFound),
            ("datasets/uploads/photo.png\0", "alice", NotFound),
        ],
    )
    def test_refuses_what_makes_no_sense(
        self, workspace: Workspace, home: Path, image_path: str | None, label: str | None, error: type[Exception]
    ) -> None:
        upload(workspace, "alice")
        with pytest.raises(error):
            decisions.confirm(workspace, image_path, label)
        assert journal(home) == []
        assert not rows(home, "SELECT * FROM people")
        assert_consistent(workspace)

    def test_refuses_a_face_of_another_photo(self, workspace: Workspace) -> None:
        photo, other = upload(workspace, "alice"), upload(workspace, "bob", take=1)
        with pytest.raises(NotFound):
            name(workspace, photo, "alice", face_of(workspace, other))

    def test_refuses_a_photo_without_faces(self, workspace: Workspace) -> None:
        photo = upload(workspace, None)
        with pytest.raises(InvalidInput):
            name(workspace, photo, "alice")
        assert_consistent(workspace)

    def test_refuses_in_words_when_someone_removed_the_file(self, workspace: Workspace, home: Path) -> None:
        photo = upload(workspace, "alice", name="gone.png")
        (home / "datasets/uploads/gone.png").unlink()
        with pytest.raises((NotFound, Conflict, InvalidInput)):
            name(workspace, photo, "alice")
        assert journal(home) == []


class TestFileNames:
    def test_number_on_from_what_is_there(self, workspace: Workspace) -> None:
        photos_ = [named_photo(workspace, "alice", take=take) for take in range(3)]
        assert [path_of(workspace, photo) for photo in photos_] == [
            f"datasets/training/alice_0{number}.png" for number in (1, 2, 3)
        ]

    def test_leave_a_foreign_file_of_the_same_name_alone(self, workspace: Workspace, home: Path) -> None:
        foreign = home / "datasets/training/alice_01.png"
        foreign.write_bytes(b"not ours")
        photo = named_photo(workspace, "alice")
        assert path_of(workspace, photo) == "datasets/training/alice_02.png"
        assert foreign.read_bytes() == b"not ours"
        assert_consistent(workspace, foreign={"training/alice_01.png"})

    def test_avoid_one_whose_file_someone_removed(self, workspace: Workspace, home: Path) -> None:
        """The store still has a photo of that name, so the name is not free."""
        first, _second = (named_photo(workspace, "alice", take=take) for take in range(2))
        (home / "datasets/training/alice_02.png").unlink()
        decisions.move(workspace, face_of(workspace, first), "bob")
        third = named_photo(workspace, "alice", take=3)
        assert path_of(workspace, third) != "datasets/training/alice_02.png"

    @pytest.mark.parametrize(
        "label",
        ["José", "李小龙", "محمد علي", "a/b\\c", "..", ".hidden", 'say "cheese"', "<b>bold</b>", "🙂", "CON", "x" * 80],
    )
    def test_are_safe_and_the_label_is_kept_as_it_is(self, workspace: Workspace, home: Path, label: str) -> None:
        photo = upload(workspace, "someone")
        name(workspace, photo, label)
        assert names_in(home) == [label]
        (path,) = files_in(home)
        assert Path(path).parent == Path("training")
        assert not Path(path).name.startswith(".")
        assert_consistent(workspace)


class TestMove:
    def test_renames_the_file_and_remembers_who_it_is_not(self, workspace: Workspace, home: Path) -> None:
        photo = named_photo(workspace, "alice")
        named_photo(workspace, "bob", take=1)
        decisions.move(workspace, face_of(workspace, photo), "bob")
        assert path_of(workspace, photo) == "datasets/training/bob_02.png"
        assert names_in(home) == ["bob", "bob"]
        assert len(rows(home, "SELECT * FROM rejections")) == 1
        assert_consistent(workspace)

    def test_keeps_the_place_in_the_order(self, workspace: Workspace, home: Path) -> None:
        first = named_photo(workspace, "alice")
        named_photo(workspace, "bob", take=1)
        decisions.move(workspace, face_of(workspace, first), "carol")
        assert names_in(home) == ["carol", "bob"]
        assert_consistent(workspace)

    def test_a_rejected_person_is_not_suggested_again(self, workspace: Workspace) -> None:
        named_photo(workspace, "alice", take=1)
        photo = named_photo(workspace, "alice", take=2)
        face = face_of(workspace, photo)
        decisions.move(workspace, face, "bob")
        decisions.unlabel(workspace, face)
        shown = reading.read_face(workspace, face)
        assert shown["predicted_label"] != "alice"
        assert "alice" not in [candidate["label"] for candidate in shown["candidates"]]
        assert_consistent(workspace)

    def test_back_makes_the_person_possible_again(self, workspace: Workspace, home: Path) -> None:
        named_photo(workspace, "alice", take=1)
        face = face_of(workspace, named_photo(workspace, "alice", take=2))
        decisions.move(workspace, face, "bob")
        decisions.move(workspace, face, "alice")
        decisions.unlabel(workspace, face)
        assert reading.read_face(workspace, face)["predicted_label"] == "alice"
        assert_consistent(workspace)

    def test_needs_a_face_with_another_name(self, workspace: Workspace) -> None:
        waiting = upload(workspace, "bob", take=5)
        with pytest.raises(Conflict):
            decisions.move(workspace, face_of(workspace, waiting), "bob")
        named = named_photo(workspace, "alice")
        with pytest.raises(Conflict):
            decisions.move(workspace, face_of(workspace, named), "alice")
        with pytest.raises(NotFound):
            decisions.move(workspace, 4711, "alice")
        assert_consistent(workspace)


class TestReject:
    def test_of_a_suggestion_is_remembered_and_the_face_waits_on(self, workspace: Workspace) -> None:
        named_photo(workspace, "alice", take=1)
        photo = upload(workspace, "alice", take=2)
        decisions.reject(workspace, face_of(workspace, photo), "alice")
        (face,) = faces_of(workspace, photo)
        assert (face["status"], face["predicted_label"], face["candidates"]) == ("inbox", None, [])
        assert_consistent(workspace)

    def test_of_a_name_takes_it_back(self, workspace: Workspace, home: Path) -> None:
        photo = named_photo(workspace, "alice")
        decisions.reject(workspace, face_of(workspace, photo), "alice")
        assert path_of(workspace, photo) == "datasets/uploads/alice-0.png"
        assert names_in(home) == []
        assert_consistent(workspace)

    def test_of_someone_it_was_not_named_is_refused(self, workspace: Workspace) -> None:
        photo = named_photo(workspace, "alice")
        named_photo(workspace, "bob", take=1)
        with pytest.raises(Conflict):
            decisions.reject(workspace, face_of(workspace, photo), "bob")
        with pytest.raises(NotFound):
            decisions.reject(workspace, face_of(workspace, upload(workspace, "carol", take=2)), "nobody")
        assert_consistent(workspace)


class TestUnlabel:
    def test_brings_the_photo_back_under_its_own_name(self, workspace: Workspace, home: Path) -> None:
        photo = upload(workspace, "alice", name="holiday.png")
        name(workspace, photo, "alice")
        decisions.unlabel(workspace, face_of(workspace, photo))
        assert path_of(workspace, photo) == "datasets/uploads/holiday.png"
        assert names_in(home) == []
        assert_consistent(workspace)

    def test_of_a_dismissal_only_takes_that_back(self, workspace: Workspace) -> None:
        photo = upload(workspace, "alice")
        decisions.dismiss(workspace, face_of(workspace, photo), "not_a_face")
        decisions.unlabel(workspace, face_of(workspace, photo))
        assert faces_of(workspace, photo)[0]["status"] == "inbox"
        assert_consistent(workspace)

    def test_needs_something_said_before(self, workspace: Workspace) -> None:
        photo = upload(workspace, "alice")
        with pytest.raises(Conflict):
            decisions.unlabel(workspace, face_of(workspace, photo))

    def test_the_photo_follows_the_first_name_that_is_left(self, workspace: Workspace, home: Path) -> None:
        photo = upload(workspace, "alice", "bob", name="party.png")
        first, second = (face["id"] for face in faces_of(workspace, photo))
        name(workspace, photo, "alice", first)
        name(workspace, photo, "bob", second)
        decisions.unlabel(workspace, first)
        assert path_of(workspace, photo) == "datasets/training/bob_01.png"
        assert_consistent(workspace)
        decisions.unlabel(workspace, second)
        assert path_of(workspace, photo) == "datasets/uploads/party.png"
        assert_consistent(workspace)


class TestDismiss:
    @pytest.mark.parametrize(("action", "status"), [("ignore", "ignored"), ("not_a_face", "not_a_face")])
    def test_takes_the_face_out_of_the_inbox(self, workspace: Workspace, action: str, status: str) -> None:
        photo = upload(workspace, "alice")
        decisions.dismiss(workspace, face_of(workspace, photo), action)
        assert faces_of(workspace, photo)[0]["status"] == status
        with pytest.raises(Conflict):
            decisions.dismiss(workspace, face_of(workspace, photo), action)
        assert_consistent(workspace)

    @pytest.mark.parametrize("action", [None, "", "delete"])
    def test_takes_two_actions_only(self, workspace: Workspace, action: str | None) -> None:
        with pytest.raises(InvalidInput, match="ignore or not_a_face"):
            decisions.dismiss(workspace, face_of(workspace, upload(workspace, "alice")), action)


class TestTheJournalOfDecisions:
    def test_holds_before_after_and_what_was_suggested(self, workspace: Workspace, home: Path) -> None:
        named_photo(workspace, "alice", take=1)
        face = face_of(workspace, upload(workspace, "alice", take=2))
        people = {row["name"]: row["id"] for row in rows(home, "SELECT id, name FROM people")}
        name(workspace, reading.read_face(workspace, face)["photo_id"], "alice")
        (latest,) = [row for row in journal(home) if row["face_id"] == face]
        assert latest["kind"] == "confirm"
        assert latest["before"]["status"] == "inbox"
        assert latest["before"]["person_id"] is None
        assert latest["after"]["status"] == "labelled"
        assert latest["after"]["person_id"] == people["alice"]
        assert latest["suggestion"]["person_id"] == people["alice"]
        assert latest["suggestion"]["confidence"] > 0.9

    def test_has_a_line_for_each_in_order(self, workspace: Workspace, home: Path) -> None:
        face = face_of(workspace, upload(workspace, "alice"))
        decisions.dismiss(workspace, face, "ignore")
        decisions.unlabel(workspace, face)
        name(workspace, reading.read_face(workspace, face)["photo_id"], "alice")
        decisions.move(workspace, face, "bob")
        told = [(line["kind"], line["before"]["status"], line["after"]["status"]) for line in journal(home)]
        assert told == [
            ("ignore", "inbox", "ignored"),
            ("unlabel", "ignored", "inbox"),
            ("confirm", "inbox", "labelled"),
            ("move", "labelled", "labelled"),
        ]
        assert journal(home)[-1]["before"]["person_id"] != journal(home)[-1]["after"]["person_id"]


Step = Callable[[Workspace, dict[str, int]], object]

STEPS: dict[str, Step] = {
    "upload a": lambda w, ids: ids.update(a=face_of(w, upload(w, "alice", "bob", take=1, name="a.png"))),
    "upload b": lambda w, ids: ids.update(b=face_of(w, upload(w, "alice", take=2, name="a.png"))),
    "second of a": lambda w, ids: ids.update(
        a2=faces_of(w, reading.read_face(w, ids["a"])["photo_id"])[1]["id"]
    ),
    **{
        f"confirm {face} {label}": lambda w, ids, face=face, label=label: decisions.confirm(
            w, reading.read_face(w, ids[face])["image_path"], label, ids[face]
        )
        for face in ("a", "a2", "b")
        for label in ("alice", "bob", "Ö")
    },
    **{
        f"move {face} {label}": lambda w, ids, face=face, label=label: decisions.move(w, ids[face], label)
        for face in ("a", "a2", "b")
        for label in ("alice", "bob", "Ö")
    },
    **{f"unlabel {face}": lambda w, ids, face=face: decisions.unlabel(w, ids[face]) for face in ("a", "a2", "b")},
    **{f"dismiss {face}": lambda w, ids, face=face: decisions.dismiss(w, ids[face], "ignore") for face in ("a2", "b")},
}  # fmt: skip


@pytest.mark.parametrize(
    "sequence",
    [
        "upload a, confirm a alice, second of a, confirm a2 bob, move a bob, unlabel a2, unlabel a",
        "upload a, second of a, confirm a2 bob, confirm a alice, unlabel a2, dismiss a2, unlabel a",
        "upload a, upload b, confirm a alice, confirm b alice, move a Ö, move b Ö, move a alice, unlabel b",
        "upload b, confirm b Ö, unlabel b, confirm b alice, unlabel b, dismiss b, unlabel b, confirm b bob",
        "upload a, second of a, upload b, dismiss a2, confirm b alice, confirm a alice, unlabel a2, confirm a2 alice",
        "upload a, second of a, confirm a Ö, confirm a2 alice, move a alice, move a2 Ö, unlabel a, confirm a bob",
    ],
)
def test_after_every_step_of_any_sequence_all_three_agree(workspace: Workspace, sequence: str) -> None:
    ids: dict[str, int] = {}
    for step in sequence.split(", "):
        STEPS[step](workspace, ids)
        assert_consistent(workspace)


class TestTheGalleryFollows:
    """Two workspaces over one home are what two workers are."""

    def test_what_one_worker_confirms_the_other_knows_at_once(
        self, workspace: Workspace, open_workspace: Callable[[], Workspace]
    ) -> None:
        other = open_workspace()
        photo = upload(other, "alice", take=5)
        assert reading.read_photo(other, photo)["predicted_label"] is None
        named_photo(workspace, "alice")
        assert reading.read_photo(other, photo)["predicted_label"] == "alice"

    def test_what_one_takes_back_the_other_forgets(
        self, workspace: Workspace, open_workspace: Callable[[], Workspace]
    ) -> None:
        other = open_workspace()
        named = named_photo(workspace, "alice")
        photo = upload(other, "alice", take=5)
        assert reading.read_photo(other, photo)["predicted_label"] == "alice"
        decisions.unlabel(workspace, face_of(workspace, named))
        answer = reading.read_photo(other, photo)
        assert answer["predicted_label"] is None
        assert answer["faces"][0]["candidates"] == []

    def test_and_a_move_moves(self, workspace: Workspace, open_workspace: Callable[[], Workspace]) -> None:
        other = open_workspace()
        named = named_photo(workspace, "alice")
        photo = upload(other, "alice", take=5)
        reading.read_photo(other, photo)
        decisions.move(workspace, face_of(workspace, named), "bob")
        assert reading.read_photo(other, photo)["predicted_label"] == "bob"

    def test_of_what_rolls_back_nobody_learns(
        self, workspace: Workspace, open_workspace: Callable[[], Workspace], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_arguments: Any) -> None:
            raise KeyboardInterrupt

        other = open_workspace()
        photo = upload(workspace, "alice")
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", interrupted)
            patch.setattr(os, "replace", interrupted)
            with pytest.raises(KeyboardInterrupt):
                name(workspace, photo, "alice")
        again = upload(other, "alice", take=5)
        assert reading.read_photo(other, again)["predicted_label"] is None


def test_the_encoding_that_is_published_is_the_one_the_engine_gave(workspace: Workspace, home: Path) -> None:
    named_photo(workspace, "alice", take=9)
    expected = [float(value) for value in encoding_of(colour_of("alice"), 9)]
    assert published(home)["encodings"][0]["encoding"] == expected


def test_the_same_photo_twice_is_one_photo(workspace: Workspace, engine: Any) -> None:
    first = upload(workspace, "alice", name="one.png")
    again = upload(workspace, "alice", name="two.png")
    assert first == again
    assert engine.looked == 1
    assert_consistent(workspace)


def test_two_photos_of_one_name_keep_both(workspace: Workspace) -> None:
    ids = [upload(workspace, "alice", take=take, name="../../evil/photo.png") for take in range(2)]
    assert [path_of(workspace, photo) for photo in ids] == [
        "datasets/uploads/photo.png",
        "datasets/uploads/photo_2.png",
    ]
    assert_consistent(workspace)


def test_an_unreadable_photo_leaves_nothing_behind(workspace: Workspace, home: Path) -> None:
    with pytest.raises(InvalidInput):
        photos.add_photo(workspace, b"no image at all", "photo.png")
    assert files_in(home) == {}
