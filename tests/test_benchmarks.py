"""The benchmark runs, compares fairly and reports what it saw. Nothing here depends on the clock."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.config import PROJECT
from app.recognition.engine import Eyesight
from app.recognition.onnx_engine import OnnxEngine
from benchmarks.documents import BEGIN, END, write_between_markers
from benchmarks.effort import Human, Played, play
from benchmarks.speed import alone, networks, theirs
from benchmarks.speed.measuring import Row, by_turns, table
from benchmarks.speed.photos import Photos, below, enlarged, gather

DOCUMENT = (PROJECT / "docs" / "benchmarks.md").read_text("utf-8")


@pytest.fixture(scope="module")
def photos(sample_photos: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """Those of a machine without the folder."""
    return gather(PROJECT / "no such folder", tmp_path_factory.mktemp("photos"))


def test_the_sample_photos_stand_in_for_a_folder_that_is_not_there(
    photos: Photos, sample_photos: dict[str, Path]
) -> None:
    assert "sample photos" in photos.note
    assert photos.portrait in sample_photos.values()
    copies = below(photos.many)
    assert {networks.read(path).pixels.shape for path in copies} == {(250, 250, 3)}
    assert len({path.read_bytes() for path in copies}) == len(copies) > len(sample_photos)


def test_a_row_is_measured(photos: Photos, models_folder: Path) -> None:
    row = networks.encode_one_chip(photos, models_folder)
    assert row.ratio is not None
    assert row.ratio > 0
    assert re.fullmatch(
        r"\| encode one chip, one thread \|.* m?s \|.* m?s \|.* x \| 12.0 x \| (ok|MISSED) \| \d+ \|", row.line()
    )


def test_agreement_is_the_share_of_their_faces_that_are_found_in_the_same_place(
    sample_photos: dict[str, Path], models_folder: Path
) -> None:
    engine = OnnxEngine(Eyesight("hog"), models_folder)
    paths = [sample_photos["obama.jpg"], sample_photos["biden.jpg"]]
    near = [theirs.look(path) for path in paths]
    assert networks.agreement(paths, near, engine).ours.startswith("2 of 2 faces, encodings 0.0")
    elsewhere: theirs.Found = ([(0, 20, 20, 0)], np.zeros((1, 128)))
    assert networks.agreement(paths, [elsewhere, near[1]], engine).ours.startswith("1 of 2 faces, encodings 0.0")


def test_memory_is_that_of_the_process_asked_alone() -> None:
    ours = np.ones(400_000_000, np.uint8)
    assert alone.peak() > ours.nbytes
    assert 0 < alone.run(alone.peak) < ours.nbytes / 4


def test_a_failure_in_a_process_of_its_own_is_told() -> None:
    with pytest.raises(RuntimeError, match="No such file"):
        alone.run(alone.their_first_answer, "nowhere.jpg")


def test_face_recognition_is_not_charged_for_importing_namesake() -> None:
    script = "import sys; from benchmarks.speed import alone, theirs; theirs.api(); sys.exit('app' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=False).returncode == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_photo_is_enlarged_to_so_many_pixels(photos: Photos, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "large"
    file.write_bytes(enlarged(photos.group, 3, kind))
    photo = networks.read(file)
    assert photo.format == kind
    assert photo.width * photo.height == pytest.approx(3_000_000, rel=0.01)


def test_both_take_turns() -> None:
    calls: list[str] = []
    by_turns(2, lambda: calls.append("ours"), lambda: calls.append("theirs"))
    assert calls == ["ours", "theirs"] * 3
    calls.clear()
    by_turns(2, lambda: calls.append("ours"), lambda: calls.append("theirs"), a_turn=2, warm_up=False)
    assert calls == ["ours", "ours", "theirs"] * 2


@pytest.mark.parametrize(
    ("ratio", "floor", "holds", "verdict"),
    [
        (30.0, 30, True, "| 30.0 x | 30.0 x | ok |"),
        (29.99, 30, True, "| 29.9 x | 30.0 x | MISSED |"),
        (31.0, 30, False, "| 31.0 x | 30.0 x | MISSED |"),
        (0.5, None, True, "| 0.5 x |  |  |"),
        (None, 2, True, "|  | 2.0 x | MISSED |"),
    ],
)
def test_a_floor_is_missed_by_any_margin(ratio: float | None, floor: float | None, holds: bool, verdict: str) -> None:
    row = Row("what", "1 s", "2 s", ratio, floor, holds=holds)
    assert verdict in row.line()
    assert row.missed == ("MISSED" in verdict)


def test_only_what_lies_between_the_markers_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_between_markers(file, "new")
    assert file.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}\n{BEGIN}"])
def test_a_page_without_a_place_for_the_table_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "page.md"
    file.write_text(text)
    with pytest.raises(ValueError, match="no place for the table"):
        write_between_markers(file, "new")
    assert file.read_text() == text


def test_the_document_explains_every_row_of_its_table() -> None:
    shown = DOCUMENT.partition(BEGIN)[2].partition(END)[0].splitlines()
    rows = [line.split("|")[1].strip() for line in shown if line.startswith("|")][2:]
    assert shown[1:3] == table([]).splitlines()
    assert rows
    explained = set(re.findall(r"\*\*(.+?)\*\*", DOCUMENT.replace("\n  ", " ")))
    assert set(rows) - explained == set()


# --- the decisions it takes


def group_of(*faces: int, suggested: str | None = None) -> dict[str, object]:
    suggestion = None if suggested is None else {"label": suggested, "confidence": 0.9}
    return {"faces": [{"id": face} for face in faces], "suggestion": suggestion, "kind": "new"}


@pytest.mark.parametrize(
    ("group", "said", "unticked"),
    [
        (group_of(1, 2, 9), {"action": "confirm", "label": "Ana", "face_id": [1, 2], "reject_id": [9]}, 1),
        (
            group_of(1, 2, 3, suggested="Bob"),
            {"action": "confirm", "label": "Bob", "face_id": [3], "reject_id": [1, 2]},
            2,
        ),
        (group_of(1, 2, suggested="Bob"), {"action": "confirm", "label": "Ana", "face_id": [1, 2], "reject_id": []}, 0),
        (group_of(8, 9, 3), {"action": "ignore", "face_id": [8, 9], "reject_id": [3]}, 1),
        (group_of(1, 9), {"action": "confirm", "label": "Ana", "face_id": [1], "reject_id": [9]}, 1),
    ],
)
def test_the_played_human_names_whom_it_knows_and_unticks_the_rest(
    group: dict[str, object], said: dict[str, object], unticked: int
) -> None:
    human = Human.__new__(Human)
    human._known = {1: "Ana", 2: "Ana", 3: "Bob"}
    assert human.answer(group) == (said, unticked)


def test_every_answer_and_every_unticked_face_is_a_decision() -> None:
    played = Played(people=10, faces=60, answers=11, unticked=2, right=0.996)
    assert (played.decisions, played.a_person, played.holds) == (13, 1.3, True)
    assert not Played(people=10, faces=60, answers=12, unticked=2, right=1.0).holds
    assert not Played(people=10, faces=60, answers=10, right=0.99).holds
    assert not Played(people=10, faces=60, answers=10, right=1.0, named_strangers=1).holds


def test_the_game_is_played_to_the_end(sample_photos: dict[str, Path], models_folder: Path, tmp_path: Path) -> None:
    people = []
    for label, names in {"Obama": ("obama", "obama2"), "Biden": ("biden",)}.items():
        for name in names:
            people.append(tmp_path / "people" / label / f"{name}.jpg")
            people[-1].parent.mkdir(parents=True, exist_ok=True)
            people[-1].write_bytes(sample_photos[f"{name}.jpg"].read_bytes())
    played = play(people, [], tmp_path / "home", models_folder)
    assert (played.people, played.faces, played.right) == (2, 3, 1.0)
    assert 2 <= played.decisions <= 5
