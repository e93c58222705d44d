"""Every decision can be taken back: rows, files and train.pickle are what they were before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.errors import Conflict, NotFound
from app.labelling import calibrating, decisions, doubts, recognising, telling, undoing
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, files_in, published, rows
from tests.labelling.saying import face_of, name, named_photo
from tests.labelling.squares import upload
from tests.labelling.test_resetting import fill_reserve, reset

_LIVE = (
    "SELECT faces.id, status, person_id, labelled_at_revision, recognise, twin_of, skipped FROM faces"
    " JOIN photos ON photos.id = photo_id WHERE state = 'live' AND status != 'removed' ORDER BY faces.id"
)


def everything(home: Path) -> dict[str, Any]:
    """All that decisions change, as it stands."""
    return {
        "faces": rows(home, _LIVE),
        "photos": rows(
            home, "SELECT id, folder, name, upload_name, named_for FROM photos WHERE state = 'live' ORDER BY id"
        ),
        "people": rows(home, "SELECT id, name, cover_id FROM people ORDER BY id"),
        "rejections": rows(home, "SELECT * FROM rejections ORDER BY 1, 2"),
        "vouches": rows(home, "SELECT * FROM vouches ORDER BY 1, 2"),
        "calibrations": rows(home, "SELECT id, after_decision FROM calibrations ORDER BY 1"),
        "files": files_in(home),
        "pickle": published(home),
    }


def undone_leaves_no_trace(workspace: Workspace, decide: Callable[[], object]) -> None:
    """Undo puts back what was there, whatever `decide` does."""
    before = everything(workspace.settings.home)
    decide()
    assert everything(workspace.settings.home) != before
    assert_consistent(workspace)
    undoing.undo(workspace)
    assert everything(workspace.settings.home) == before
    assert_consistent(workspace)


@pytest.fixture
def album(workspace: Workspace) -> Workspace:
    """alice and bob have names, carol waits with a face said not to be bob, dave's photo has three people."""
    for person in ("alice", "bob"):
        named_photo(workspace, person)
    decisions.reject(workspace, face_of(workspace, upload(workspace, "carol", name="carol.png")), "bob")
    name(workspace, upload(workspace, "dave", "bob", "erin", name="party.png"), "dave")
    return workspace


def faces(home: Path, status: str) -> list[int]:
    return [row["id"] for row in rows(home, "SELECT id FROM faces WHERE status = ? ORDER BY id", status)]


def carol(workspace: Workspace) -> int:
    return int(rows(workspace.settings.home, "SELECT MIN(face_id) AS id FROM rejections")[0]["id"])


DECISIONS: dict[str, Callable[[Workspace, int, int], object]] = {
    "confirm of a known person": lambda w, waiting, _named: _confirm(w, waiting, "alice"),
    "confirm of someone new": lambda w, waiting, _named: _confirm(w, waiting, "carol"),
    "confirm of whom it was said not to be": lambda w, waiting, _named: _confirm(w, waiting, "bob"),
    "move to a known person": lambda w, _waiting, named: decisions.move(w, named, "bob"),
    "move to someone new": lambda w, _waiting, named: decisions.move(w, named, "zoe"),
    "unlabel": lambda w, _waiting, named: decisions.unlabel(w, named),
    "reject of a suggestion": lambda w, waiting, _named: decisions.reject(w, waiting, "alice"),
    "reject of a name": lambda w, _waiting, named: decisions.reject(w, named, "alice"),
    "ignore": lambda w, waiting, _named: decisions.dismiss(w, waiting, "ignore"),
    "not a face": lambda w, waiting, _named: decisions.dismiss(w, waiting, "not_a_face"),
    "vouch": lambda w, _waiting, named: doubts.vouch(w, named),
    "use for recognising": lambda w, _waiting, named: recognising.set_use(w, named, "no"),
}


def _confirm(workspace: Workspace, face_id: int, label: str) -> None:
    (row,) = rows(
        workspace.settings.home,
        "SELECT photos.name FROM photos JOIN faces ON photo_id = photos.id WHERE faces.id = ?",
        face_id,
    )
    decisions.confirm(workspace, f"datasets/uploads/{row['name']}", label, face_id)


@pytest.mark.parametrize("kind", DECISIONS)
def test_every_kind_of_decision_is_undone_without_a_trace(album: Workspace, home: Path, kind: str) -> None:
    named = faces(home, "labelled")[0]
    undone_leaves_no_trace(album, lambda: DECISIONS[kind](album, carol(album), named))


def test_a_reset_is_undone_with_the_files_it_put_aside(album: Workspace, home: Path) -> None:
    fill_reserve(home)
    (home / "datasets/training/notes.txt").write_text("not a photo of the product's")
    before = everything(home)
    reset(album)
    assert everything(home)["files"] != before["files"]
    undoing.undo(album)
    after = everything(home)
    assert {key: after[key] for key in after if key != "people"} == {
        key: before[key] for key in before if key != "people"
    }
    assert_consistent(album, foreign=["training/notes.txt"])


def test_what_came_after_a_reset_stays_when_it_is_undone(album: Workspace, home: Path) -> None:
    fill_reserve(home)
    reset(album)
    upload(album, "carol", name="carol.png")  # the photo that waited before comes back, too
    newcomer = upload(album, "frank", name="alice-0.png")
    undoing.undo(album)
    assert_consistent(album)
    assert newcomer in [row["id"] for row in rows(home, "SELECT id FROM photos WHERE state = 'live'")]


def test_a_reset_waits_for_the_decisions_that_came_after_it(album: Workspace, home: Path) -> None:
    fill_reserve(home)
    reset(album)
    (reset_id,) = (row["id"] for row in rows(home, "SELECT id FROM decisions WHERE kind = 'reset'"))
    name(album, upload(album, "frank", name="frank.png"), "frank")
    decisions.unlabel(album, max(faces(home, "labelled")[:-1]))
    with pytest.raises(Conflict, match="undo that first"):
        undoing.undo(album, reset_id)
    for _ in range(3):
        undoing.undo(album)
    assert_consistent(album)


def test_forgetting_the_answers_is_undone(album: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrating, "usable_answers", lambda *_: [object()])
    undone_leaves_no_trace(album, lambda: calibrating.forget_answers(album))


def test_undo_goes_back_through_everything_that_was_decided(workspace: Workspace, home: Path) -> None:
    states = []
    for person in ("alice", "bob", "alice"):
        photo = upload(workspace, person, take=len(states), name=f"{person}-{len(states)}.png")
        states.append(everything(home) if states else None)
        name(workspace, photo, person)
    states.append(everything(home))
    decisions.move(workspace, faces(home, "labelled")[-1], "carol")
    for state in states[:0:-1]:
        undoing.undo(workspace)
        now = everything(home)
        # Photos that were uploaded later are there, with nothing said about them.
        assert {key: now[key] for key in ("people", "pickle")} == {key: state[key] for key in ("people", "pickle")}
        assert_consistent(workspace)


def test_an_older_decision_can_be_chosen(album: Workspace, home: Path) -> None:
    first = rows(home, "SELECT MIN(id) AS id FROM decisions")[0]["id"]
    told = undoing.undo(album, first)
    assert told["decision_id"] == first
    assert told["what"] == "Named a face alice"
    assert "alice" not in [row["name"] for row in rows(home, "SELECT name FROM people")]
    assert_consistent(album)


def test_what_was_changed_again_since_is_undone_first(album: Workspace, home: Path) -> None:
    first = rows(home, "SELECT MIN(id) AS id FROM decisions")[0]["id"]
    decisions.move(album, faces(home, "labelled")[0], "bob")
    before = everything(home)
    with pytest.raises(Conflict, match="undo that first"):
        undoing.undo(album, first)
    assert everything(home) == before


def test_a_person_stays_while_others_have_the_name(workspace: Workspace, home: Path) -> None:
    named_photo(workspace, "alice")
    named_photo(workspace, "alice", take=1)
    first = rows(home, "SELECT MIN(id) AS id FROM decisions")[0]["id"]
    undoing.undo(workspace, first)
    assert [row["name"] for row in rows(home, "SELECT name FROM people")] == ["alice"]
    assert_consistent(workspace)


def test_nothing_is_undone_twice(album: Workspace, home: Path) -> None:
    first = rows(home, "SELECT MIN(id) AS id FROM decisions")[0]["id"]
    undoing.undo(album, first)
    with pytest.raises(Conflict, match="already"):
        undoing.undo(album, first)


def test_there_may_be_nothing_to_undo(workspace: Workspace) -> None:
    with pytest.raises(Conflict, match="nothing to undo"):
        undoing.undo(workspace)


def test_a_decision_that_never_was_is_not_found(album: Workspace) -> None:
    with pytest.raises(NotFound):
        undoing.undo(album, 4711)


def test_what_an_older_version_did_not_record_says_so(album: Workspace, home: Path) -> None:
    with album.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM changes")
    with pytest.raises(Conflict, match="not on record"):
        undoing.undo(album, rows(home, "SELECT MIN(id) AS id FROM decisions")[0]["id"])


def test_an_answer_that_is_undone_teaches_nothing(album: Workspace) -> None:
    from app.labelling.answers import read_answers

    with album.database.read() as connection:
        before = read_answers(connection)
    decisions.dismiss(album, carol(album), "ignore")
    undoing.undo(album)
    with album.database.read() as connection:
        assert read_answers(connection) == before


def test_the_gallery_of_another_worker_follows(
    album: Workspace, home: Path, open_workspace: Callable[[], Workspace]
) -> None:
    other = open_workspace()
    known = len(other.view_gallery())
    decisions.unlabel(album, faces(home, "labelled")[0])
    assert len(other.view_gallery()) == known - 1
    undoing.undo(album)
    assert len(other.view_gallery()) == known


def test_the_last_decisions_are_listed_with_what_they_did(album: Workspace, home: Path) -> None:
    decisions.dismiss(album, carol(album), "not_a_face")
    undoing.undo(album)
    listed = telling.recent_decisions(album)
    assert [(each["what"], each["undone"], each["can_undo"]) for each in listed] == [
        ("Said that one is not a face", True, False),
        ("Named a face dave", False, True),
        ("Said that a face is not bob", False, True),
        ("Named a face bob", False, True),
        ("Named a face alice", False, True),
    ]
    assert listed[0]["face_ids"] == [carol(album)]
    assert json.dumps(listed, default=str)
    assert len(telling.recent_decisions(album, limit=2)) == 2
