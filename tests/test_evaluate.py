"""flask evaluate DIR, and make evaluate: from a folder of photos to figures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from flask import Flask
from PIL import Image, ImageOps

from app.config import PROJECT, Settings
from app.labelling import evaluating
from app.labelling.evaluating import HEADINGS
from app.labelling.workspace import Workspace
from app.recognition import bulk
from app.recognition.evaluation import DRAWS, Row
from app.recognition.metrics import Estimate
from benchmarks import evaluate as benchmark
from benchmarks import faces as faces_to_measure
from benchmarks.documents import BEGIN, END
from benchmarks.faces import halves
from tests.labelling.consistency import rows
from tests.labelling.squares import SquaresEngine, interrupted, picture
from tests.labelling.workers import AHEAD
from tests.test_cli import Run, fill, told

GOOD = {"rank_1": 0.993, "dir_at_fpir_1": 0.96, "ece": 0.02}
SYSTEMS = ["Namesake", "original", "k-NN", "linear SVM"]


@pytest.fixture
def run(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in this process, in a folder of its own: what it says and its exit code."""
    monkeypatch.chdir(tmp_path)

    def run_(*arguments: object) -> Result:
        with app.app_context():
            return app.test_cli_runner().invoke(args=["evaluate", *map(str, arguments)])

    return run_


def report(result: Result, file: Path) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    content: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return content


def people(**photos: int) -> dict[str, bytes]:
    return {f"{name}/{take}.png": picture(name, take=take) for name, count in photos.items() for take in range(count)}


@pytest.mark.usefixtures("squares")
class TestFigures:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return fill(tmp_path / "labelled", **people(ana=4, bob=3, carol=2, dan=1, eve=1))

    def test_are_written_as_json(self, run: Run, folder: Path, tmp_path: Path) -> None:
        content = report(run(folder, "-m", "hog"), tmp_path / "evaluation.json")
        assert content.pop("rows")
        assert content == {"folder": str(folder), "method": "hog", "engine": "squares", "seed": 0, "resamples": 1000}

    def test_are_of_every_system_for_every_number_of_photos(self, run: Run, folder: Path, tmp_path: Path) -> None:
        first, second = report(run(folder), tmp_path / "evaluation.json")["rows"]
        assert [first["labelled_photos"], second["labelled_photos"]] == [1, 2]
        for row in (first, second):
            assert row["draws"] == DRAWS
            assert list(row["figures"]) == SYSTEMS
            for figures in row["figures"].values():
                assert list(figures) == list(HEADINGS)
                for figure in figures.values():
                    assert figure is None or 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
        assert (first["people"], first["withheld"], first["strangers"]) == (3, 1, 5)
        assert (second["people"], second["withheld"], second["strangers"]) == (2, 0, 2)
        assert (second["questions"], second["strange_questions"]) == (DRAWS * 3, DRAWS * 2)
        assert first["figures"]["Namesake"]["rank_1"] == {"value": 1.0, "low": 1.0, "high": 1.0}
        assert first["figures"]["k-NN"]["ece"] is None

    def test_are_printed_for_people_as_well(self, run: Run, folder: Path) -> None:
        output = run(folder, "-o", "other.json").output
        assert "**1 labelled photo a person**: " in output
        assert "1 of the people kept out of each to be strangers in turn" in output
        assert re.search(r"^\| Namesake +\| 1\.000 \(1\.000–1\.000\) \|", output, re.MULTILINE)
        assert re.search(r"^\| k-NN .*\| – +\|$", output, re.MULTILINE)
        assert output.endswith("\nWritten to other.json.\n")

    def test_are_the_same_every_time(self, run: Run, folder: Path, tmp_path: Path) -> None:
        run(folder, "-o", "one.json")
        run(folder, "-o", "two.json")
        assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()

    def test_take_names_from_files_too(self, run: Run, tmp_path: Path) -> None:
        files = {f"{name}_{take}.png": picture(name, take=take) for name in ("ana", "bob") for take in range(3)}
        (row, _) = report(run(fill(tmp_path / "flat", **files)), tmp_path / "evaluation.json")["rows"]
        assert (row["people"], row["strangers"]) == (2, 0)

    def test_can_tell_people_and_strangers_by_folders(self, run: Run, tmp_path: Path) -> None:
        """Among strangers a file is a person whatever its name, and a folder is one; other folders do not matter."""
        folder = fill(
            tmp_path / "both",
            **{f"people/{name}": data for name, data in people(ana=3, bob=3).items()},
            **{f"strangers/IMG_{take}.png": picture(f"nobody {take}", take=take) for take in range(20)},
            **{f"strangers/{'long ' * 30}.png": picture("long", take=1)},
            **{f"strangers/ana/{take}.png": picture("another ana", take=take) for take in range(2)},
            **{"photos/crowd.png": picture("a", "b", "c")},
        )
        first = report(run(folder), tmp_path / "evaluation.json")["rows"][0]
        assert (first["people"], first["strangers"], first["withheld"]) == (2, 22, 0)
        assert (first["questions"], first["strange_questions"]) == (DRAWS * 4, DRAWS * 23)

    def test_touch_nothing_that_is_served(self, run: Run, folder: Path, tmp_path: Path) -> None:
        run(folder)
        assert not rows(tmp_path, "SELECT * FROM photos")
        assert not (tmp_path / "instance/train.pickle").exists()


@pytest.mark.usefixtures("squares")
class TestRefusals:
    def test_one_person_cannot_be_mistaken(self, run: Run, tmp_path: Path) -> None:
        folder = fill(tmp_path / "labelled", **people(ana=9, bob=1))
        assert "two people at least" in told(run(folder))
        assert not (tmp_path / "evaluation.json").exists()

    def test_faces_are_needed_and_what_has_none_is_named(self, run: Run, tmp_path: Path) -> None:
        files = {"ana/1.png": picture(None), "ana/2.png": picture(None, take=1), "bob/notes.txt": b"a text"}
        output = told(run(fill(tmp_path / "labelled", **files)))
        assert "skipped ana/2.png: No face was found." in output
        assert "skipped bob/notes.txt: The file is not an image." in output
        assert "two people at least" in output

    @pytest.mark.parametrize("inside", [".", "people", "strangers"])
    def test_an_empty_folder(self, run: Run, tmp_path: Path, inside: str) -> None:
        (tmp_path / "empty" / inside).mkdir(parents=True)
        assert "no files" in told(run(tmp_path / "empty"))

    @pytest.mark.parametrize("arguments", [["nowhere"], ["labelled", "-m", "yolo"], ["labelled", "-o", "no/such/x"]])
    def test_what_makes_no_sense(self, run: Run, tmp_path: Path, arguments: list[str]) -> None:
        fill(tmp_path / "labelled", **people(ana=2, bob=2))
        assert told(run(*arguments))

    def test_no_room_for_the_encodings_is_said_of_them(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "instance/evaluation.encodings").mkdir()
        assert "evaluation.encodings cannot be written" in told(
            run(fill(tmp_path / "labelled", **people(ana=2, bob=2)))
        )


class TestEncodingsAreKept:
    def test_so_that_a_second_run_looks_at_new_photos_only(
        self, run: Run, squares: SquaresEngine, tmp_path: Path
    ) -> None:
        folder = fill(tmp_path / "labelled", **people(ana=3, bob=3))
        assert "resumed" not in run(folder).output
        assert squares.looked == 6
        fill(folder, **{"carol/1.png": picture("carol")})
        output = run(folder).output
        assert "resumed: 6 photos were encoded before" in output
        assert squares.looked == 7

    def test_so_that_one_that_is_broken_off_goes_on(
        self, run: Run, squares: SquaresEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bulk, "processors", lambda: 2)
        folder = fill(tmp_path / "labelled", **people(ana=AHEAD, bob=AHEAD))
        whole = report(run(folder, "-o", "whole.json"), tmp_path / "whole.json")
        (tmp_path / "instance/evaluation.encodings").unlink()
        squares.looked = 0
        with interrupted(squares, after=AHEAD):
            assert "the same command goes on from there" in told(run(folder))
        squares.looked = 0
        assert report(run(folder), tmp_path / "evaluation.json") == whole
        assert 0 < squares.looked < 2 * AHEAD

    def test_for_one_method_at_a_time(self, run: Run, squares: SquaresEngine, tmp_path: Path) -> None:
        folder = fill(tmp_path / "labelled", **people(ana=3, bob=3))
        run(folder, "-m", "cnn")
        run(folder, "-m", "hog")
        assert squares.looked == 12


def test_real_photos_through_the_real_engine(run: Run, sample_photos: dict[str, Path], tmp_path: Path) -> None:
    """A mirrored photo is another photo of the same face."""
    folder = tmp_path / "labelled"
    for person, photo in (("Barack Obama", "obama.jpg"), ("Barack Obama", "obama2.jpg"), ("Joe Biden", "biden.jpg")):
        (folder / person).mkdir(parents=True, exist_ok=True)
        with Image.open(sample_photos[photo]) as image:
            image.save(folder / person / photo)
            ImageOps.mirror(image).save(folder / person / f"mirrored {photo}")
    first = report(run(folder, "-m", "hog"), tmp_path / "evaluation.json")["rows"][0]
    assert first["people"] == 2
    assert first["questions"] == DRAWS * 4
    for system in SYSTEMS:
        assert first["figures"][system]["rank_1"]["value"] == 1.0


def row(labelled: int, **figures: float | None) -> Row:
    """A row in which Namesake reaches these figures."""
    made = {name: None if value is None else Estimate(value, value, value) for name, value in figures.items()}
    return Row(labelled, 20, 60, 200, 0, 100, 100, {"Namesake": made})


class TestMakeEvaluate:
    def rows(self, **changed: float | None) -> list[Row]:
        """Good enough, but for what is changed in the row of five."""
        return [row(labelled, **GOOD) for labelled in (1, 2, 3)] + [row(5, **GOOD | changed)]

    def test_is_content_with_what_just_reaches_the_floors(self) -> None:
        assert list(benchmark.misses(self.rows())) == []

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"rank_1": 0.99299}, "rank-1 with 5 labelled is 0.99299, at least 0.993"),
            ({"dir_at_fpir_1": 0.9599}, "DIR at FPIR 1% with 5 labelled is 0.9599, at least 0.96"),
            ({"ece": 0.0201}, "ECE with 5 labelled is 0.0201, at most 0.02"),
            ({"ece": None}, "ECE with 5 labelled is not measured, at most 0.02"),
        ],
    )
    def test_names_what_is_missed_by_any_margin(self, changed: dict[str, float | None], said: str) -> None:
        (missed,) = benchmark.misses(self.rows(**changed))
        assert said in missed

    def test_misses_what_is_not_there(self) -> None:
        assert sum("with 5 labelled is not measured" in missed for missed in benchmark.misses(self.rows()[:3])) == 3

    def test_asks_about_those_who_were_not_fitted_on(
        self, squares: SquaresEngine, tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Half of the people and half of the strangers, and nobody of the half that fit_openset fits on."""
        folder = fill(
            tmp_path / "faces",
            **{f"people/{name}": data for name, data in people(ana=2, bob=3, carol=4, dan=5).items()},
            **{f"strangers/nobody_{take}.png": picture(f"nobody {take}", take=take) for take in range(6)},
        )
        monkeypatch.setattr(faces_to_measure, "KEPT", tmp_path / "kept")
        monkeypatch.setattr(faces_to_measure, "load_engine", lambda *_arguments: squares)
        gathered = benchmark.gather(folder, Settings())
        names = np.array(["ana"] * 2 + ["bob"] * 3 + ["carol"] * 4 + ["dan"] * 5 + [f"?nobody_{n}" for n in range(6)])
        fitted_on, _others = halves(names, np.random.default_rng(0))
        faces = benchmark.the_other_half(gathered)
        fitted = {gathered.encoded.entries[number].encoding.tobytes() for number in fitted_on}
        asked = {encoding.astype(np.float32).tobytes() for encoding in faces.encodings}
        assert len(asked) == len(names) - len(fitted_on)
        assert asked.isdisjoint(fitted)
        assert faces.strange.sum() == 3
        assert len(set(faces.people[~faces.strange].tolist())) == 2

    def test_explains_every_figure_and_system_in_its_document(self) -> None:
        document = (PROJECT / "docs" / "accuracy.md").read_text("utf-8")
        shown = document.partition(BEGIN)[2].partition(END)[0]
        cells = re.findall(r"^\| ([^|-][^|]*?) +\|", shown, re.MULTILINE)
        assert set(cells) == {"system", *SYSTEMS}
        assert all(f"**{term}**" in document.replace("\n  ", " ") for term in [*SYSTEMS, *HEADINGS.values()])

    def test_has_its_place_in_the_document(self) -> None:
        assert evaluating.as_markdown([]) in (PROJECT / "docs" / "accuracy.md").read_text("utf-8")
