"""A face that was missed is drawn, encoded and suggested like any other, and taken away again."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling import decisions, drawing, photos, pictures, reading, telling, undoing
from app.labelling.drawing import FaceThere, check_box
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, files_in, rows, snapshot
from tests.labelling.saying import face_of, faces_of, name, named_photo, path_of
from tests.labelling.squares import CELL, colour_of
from tests.labelling.test_undoing import everything, undone_leaves_no_trace

BOX = (CELL + 8, CELL - 8, 2 * CELL - 8, 8)
"""of the square that the engine does not find: it looks along the top only"""


@pytest.fixture
def photo(workspace: Workspace) -> int:
    """alice is known. In this photo bob is found, and alice below him is not."""
    named_photo(workspace, "alice")
    return photos.add_photo(workspace, missed("bob", "alice"), "missed.png")


def missed(found: str | None, overlooked: str) -> bytes:
    pixels = np.zeros((2 * CELL, CELL, 3), np.uint8)
    for row, person in enumerate((found, overlooked)):
        if person is not None:
            pixels[row * CELL + 8 : (row + 1) * CELL - 8, 8:-8] = colour_of(person), 0, 5 + row
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_a_drawn_face_is_suggested_like_any_other(workspace: Workspace, photo: int) -> None:
    face_id, _decision = drawing.draw_face(workspace, photo, BOX)
    face = reading.read_face(workspace, face_id)
    assert (face["box"], face["status"], face["predicted_label"]) == (list(BOX), "inbox", "alice")
    assert [each["id"] for each in faces_of(workspace, photo)].count(face_id) == 1
    with Image.open(pictures.thumb(workspace, face_id)) as thumb:
        assert abs(thumb.getpixel((96, 96))[0] - colour_of("alice")) < 8
    assert_consistent(workspace)


def test_its_name_is_published_with_the_box(workspace: Workspace, photo: int) -> None:
    face_id, _decision = drawing.draw_face(workspace, photo, BOX)
    name(workspace, photo, "alice", face_id)
    assert path_of(workspace, photo) == "datasets/training/alice_02.png"
    assert_consistent(workspace)


def test_drawing_is_undone_without_a_trace(workspace: Workspace, photo: int) -> None:
    undone_leaves_no_trace(workspace, lambda: drawing.draw_face(workspace, photo, BOX))
    assert len(faces_of(workspace, photo)) == 1


def test_a_face_that_has_a_name_by_now_is_not_taken_away(workspace: Workspace, home: Path, photo: int) -> None:
    face_id, decision = drawing.draw_face(workspace, photo, BOX)
    name(workspace, photo, "alice", face_id)
    with pytest.raises(Conflict, match="undo that first"):
        undoing.undo(workspace, decision)
    before = everything(home)["photos"]
    undoing.undo(workspace)
    undoing.undo(workspace)
    assert everything(home)["photos"] != before
    assert_consistent(workspace)


def test_what_was_taken_away_can_be_drawn_again(workspace: Workspace, photo: int) -> None:
    first, _decision = drawing.draw_face(workspace, photo, BOX)
    undoing.undo(workspace)
    second, _decision = drawing.draw_face(workspace, photo, BOX)
    assert second != first
    assert reading.read_face(workspace, second)["predicted_label"] == "alice"


def test_the_journal_says_so(workspace: Workspace, photo: int) -> None:
    face_id, decision = drawing.draw_face(workspace, photo, BOX)
    told = telling.recent_decisions(workspace, 1)[0]
    assert (told["decision_id"], told["what"], told["face_ids"]) == (decision, "Drew a face", [face_id])


def test_a_photo_without_any_face_can_be_drawn_in(workspace: Workspace) -> None:
    photo = photos.add_photo(workspace, missed(None, "alice"), "nobody.png")
    assert faces_of(workspace, photo) == []
    face_id, _decision = drawing.draw_face(workspace, photo, BOX)
    assert face_of(workspace, photo) == face_id
    undoing.undo(workspace)
    assert faces_of(workspace, photo) == []


def test_a_face_can_be_drawn_as_part_of_a_larger_change(workspace: Workspace, home: Path, photo: int) -> None:
    before = everything(home)
    with workspace.changing() as work:
        face_id = drawing.draw_with(workspace, work, photo, BOX)
        work.decide("draw", face_id=face_id, before={}, after={})
    assert reading.read_face(workspace, face_id)["predicted_label"] == "alice"
    undoing.undo(workspace)
    assert everything(home) == before


@pytest.mark.parametrize("shift", [0, 4, -6])
def test_a_face_that_is_there_is_not_drawn_again(workspace: Workspace, home: Path, photo: int, shift: int) -> None:
    (there,) = faces_of(workspace, photo)
    box = [edge + shift for edge in there["box"]]
    before = snapshot(home)
    with pytest.raises(FaceThere) as refused:
        drawing.draw_face(workspace, photo, box)
    assert refused.value.status == 409
    assert refused.value.details["face"] == there
    assert snapshot(home) == before


def test_one_that_was_dismissed_is_there_too(workspace: Workspace, photo: int) -> None:
    (there,) = faces_of(workspace, photo)
    decisions.dismiss(workspace, there["id"], "not_a_face")
    with pytest.raises(FaceThere):
        drawing.draw_face(workspace, photo, there["box"])


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((None, 56, 120, 8), "top is missing"),
        ((None, None, None, None), "top, right, bottom, left is missing"),
        ((72, 65, 120, 8), "64 pixels wide and 128 high"),
        ((72, 56, 129, 8), "64 pixels wide"),
        ((120, 56, 72, 8), "top above bottom"),
        ((72, 8, 120, 56), "left before right"),
        ((72, 56, 72, 8), "top above bottom"),
        ((-1, 56, 120, 8), "in the photo"),
        ((72, 56, 83, 8), "12 pixels"),
        ((72, 19, 120, 8), "12 pixels"),
    ],
)
def test_a_box_that_is_none_is_refused(
    workspace: Workspace, home: Path, photo: int, box: Sequence[int | None], words: str
) -> None:
    before = snapshot(home)
    with pytest.raises(InvalidInput, match=words):
        drawing.draw_face(workspace, photo, box)
    assert snapshot(home) == before


def test_the_smallest_and_the_largest_box_are_taken() -> None:
    assert check_box((0, 12, 12, 0), 64, 128) == (0, 12, 12, 0)
    assert check_box((0, 64, 128, 0), 64, 128) == (0, 64, 128, 0)


def test_a_photo_whose_file_is_gone_cannot_be_drawn_in(workspace: Workspace, home: Path, photo: int) -> None:
    (home / path_of(workspace, photo)).unlink()
    with pytest.raises(NotFound, match="file of this photo is not here"):
        drawing.draw_face(workspace, photo, BOX)


def test_a_photo_that_never_was_cannot_be_drawn_in(workspace: Workspace) -> None:
    with pytest.raises(NotFound, match="no such photo"):
        drawing.draw_face(workspace, 4711, BOX)


def test_a_photo_that_is_still_being_searched_waits(workspace: Workspace, home: Path) -> None:
    ((photo,), _refused) = photos.store_photos(workspace, [("late.png", lambda: missed("bob", "alice"))])
    with pytest.raises(Conflict, match="still being searched"):
        drawing.draw_face(workspace, photo, BOX)
    assert rows(home, "SELECT * FROM faces") == []
    assert files_in(home)


def test_the_real_engine_encodes_a_drawn_face_as_a_found_one(
    workspace: Workspace, sample_photos: dict[str, Path]
) -> None:
    del workspace.engine
    photo = photos.add_photo(workspace, sample_photos["obama.jpg"].read_bytes(), "obama.jpg")
    (found,) = faces_of(workspace, photo)
    with workspace.database.write() as connection:  # as if the detector had missed it
        stored = connection.exec_driver_sql("SELECT encoding FROM faces").scalar_one()
        connection.exec_driver_sql("UPDATE faces SET status = 'removed'")
    face_id, _decision = drawing.draw_face(workspace, photo, found["box"])
    drawn = rows(workspace.settings.home, "SELECT encoding FROM faces WHERE id = ?", face_id)[0]["encoding"]
    assert np.abs(np.frombuffer(drawn, "<f4") - np.frombuffer(stored, "<f4")).max() < 1e-5
