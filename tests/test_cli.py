"""flask --app wsgi COMMAND: the same use cases without a browser, and errors in words."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from app.config import PROJECT
from app.labelling.workspace import Workspace
from app.recognition import bulk
from tests.labelling.consistency import assert_consistent, names_in, published, rows
from tests.labelling.squares import SquaresEngine, interrupted, picture
from tests.labelling.workers import AHEAD, die

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Run a command in this process, with the engine that reads squares: what it says and its exit code."""
    app.extensions["namesake"].engine = SquaresEngine()

    def run_(*arguments: object, **options: Any) -> Result:
        with app.app_context():
            return app.test_cli_runner().invoke(args=[str(argument) for argument in arguments], **options)

    return run_


def fill(folder: Path, **files: bytes) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def told(result: Result) -> str:
    """What an expected failure says, which is never a stack trace."""
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result.output


@pytest.mark.usefixtures("squares")
class TestEncode:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        files = {
            "bob/1.png": picture("bob", take=1),
            "alice_02.png": picture("alice", take=2),
            "party/crowd.png": picture("left", "middle", "right"),
            "bob/notes.txt": b"a text",
            "bob/nobody.png": picture(None),
        }
        return fill(tmp_path / "labelled", **files)

    def test_writes_exactly_the_old_shape(self, run: Run, folder: Path, tmp_path: Path) -> None:
        result = run("encode", "-d", folder, "-o", tmp_path / "out.pickle", "-m", "hog")
        assert result.exit_code == 0, result.output
        content = pickle.loads((tmp_path / "out.pickle").read_bytes())
        assert set(content) == {"encodings", "label_encoder"}
        assert content["label_encoder"] == {"classes_": ["alice", "bob", "party"]}
        assert len(content["encodings"]) == 3
        for face in content["encodings"]:
            assert set(face) == {"imagePath", "loc", "encoding", "label"}
            assert Path(face["imagePath"]).is_file()
            assert (type(face["loc"]), [type(side) for side in face["loc"]]) == (tuple, [int] * 4)
            assert (type(face["encoding"]), {type(value) for value in face["encoding"]}) == (list, {float})
            assert len(face["encoding"]) == 128
            assert type(face["label"]) is int

    def test_names_every_skipped_file_and_why(self, run: Run, folder: Path, tmp_path: Path) -> None:
        lines = run("encode", "-d", folder, "-o", tmp_path / "out.pickle").output.splitlines()
        assert "skipped bob/notes.txt: The file is not an image." in lines
        assert "skipped bob/nobody.png: No face was found." in lines
        assert any("party/crowd.png" in line and "more than one face" in line for line in lines)
        assert lines[-1] == f"3 faces of 3 people written to {tmp_path / 'out.pickle'}, 2 files skipped."

    def test_can_take_whole_names_as_labels(self, run: Run, folder: Path, tmp_path: Path) -> None:
        run("encode", "-d", folder, "-o", tmp_path / "out.pickle", "--label-from", "stem")
        content = pickle.loads((tmp_path / "out.pickle").read_bytes())
        assert content["label_encoder"]["classes_"] == ["1", "alice_02", "crowd"]

    def test_touches_nothing_that_is_served(self, run: Run, folder: Path, tmp_path: Path) -> None:
        run("encode", "-d", folder, "-o", tmp_path / "out.pickle")
        assert not rows(tmp_path, "SELECT * FROM photos")
        assert not (tmp_path / "instance/train.pickle").exists()

    def test_writes_nothing_when_there_is_no_face(self, run: Run, tmp_path: Path) -> None:
        folder = fill(tmp_path / "labelled", **{"alice/nobody.png": picture(None)})
        assert "nothing was written" in told(run("encode", "-d", folder, "-o", tmp_path / "out.pickle"))
        assert not (tmp_path / "out.pickle").exists()

    def test_refuses_an_empty_folder(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert "no files" in told(run("encode", "-d", tmp_path / "empty", "-o", tmp_path / "out.pickle"))

    @pytest.mark.parametrize(
        "arguments", [("-d", "nowhere"), ("-m", "yolo"), ("--label-from", "exif"), ("-o", "no/such/folder/out.pickle")]
    )
    def test_refuses_what_makes_no_sense(
        self, run: Run, folder: Path, tmp_path: Path, arguments: tuple[str, str]
    ) -> None:
        given = {"-d": str(folder), "-o": str(tmp_path / "out.pickle")} | dict([arguments])
        assert told(run("encode", *[word for pair in given.items() for word in pair]))


class TestEncodeThatIsBrokenOff:
    """What it has encoded is not encoded again, and what it writes in the end is the same to the last bit."""

    PHOTOS = 2 * AHEAD

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        files = {f"alice/{take:03}.png": picture("alice", take=take) for take in range(self.PHOTOS - 3)}
        odd = {"bob_1.png": picture("bob", "eve"), "carol/nobody.png": picture(None), "carol/notes.txt": b"a text"}
        return fill(tmp_path / "labelled", **files, **odd)

    @pytest.fixture
    def output(self, tmp_path: Path) -> Path:
        return tmp_path / "out.pickle"

    @pytest.fixture
    def whole(self, squares: SquaresEngine, run: Run, folder: Path, tmp_path: Path) -> bytes:
        """What comes of it when nothing happens."""
        assert run("encode", "-d", folder, "-o", tmp_path / "whole.pickle").exit_code == 0
        assert not (tmp_path / "whole.pickle.partial").exists()
        squares.looked = 0
        return (tmp_path / "whole.pickle").read_bytes()

    def kept(self, output: Path) -> int:
        """How many photos are in the partial file."""
        return output.with_name("out.pickle.partial").read_bytes().count(b"\n") - 1

    @pytest.mark.parametrize("processors", [1, 2, 3])
    def test_or_not_gives_the_same_whatever_the_number_of_processors(
        self, run: Run, folder: Path, output: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch, processors: int
    ) -> None:
        monkeypatch.setattr(bulk, "processors", lambda: processors)
        assert run("encode", "-d", folder, "-o", output).exit_code == 0
        assert output.read_bytes() == whole

    def test_by_a_kill_goes_on(
        self, run: Run, folder: Path, output: Path, whole: bytes, squares: SquaresEngine, tmp_path: Path
    ) -> None:
        die(tmp_path, "further photos looked at", "encode", folder, output)
        kept = self.kept(output)
        assert bulk.CHUNK <= kept <= AHEAD
        assert not output.exists()
        result = run("encode", "-d", folder, "-o", output)
        assert result.output.splitlines()[0] == f"resumed: {kept} photos were encoded before"
        assert squares.looked == self.PHOTOS - 1 - kept  # the text was never looked at
        assert output.read_bytes() == whole
        assert list(tmp_path.glob("*.partial")) == []

    def test_by_the_keyboard_says_how_to_go_on(
        self,
        run: Run,
        folder: Path,
        output: Path,
        whole: bytes,
        squares: SquaresEngine,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(bulk, "processors", lambda: 2)
        with interrupted(squares, after=AHEAD):
            assert "the same command goes on from there" in told(run("encode", "-d", folder, "-o", output))
        kept = self.kept(output)
        assert bulk.CHUNK <= kept < self.PHOTOS
        squares.looked = 0
        assert "resumed" in run("encode", "-d", folder, "-o", output).output
        assert squares.looked == self.PHOTOS - 1 - kept
        assert output.read_bytes() == whole

    @pytest.fixture
    def broken_off(self, folder: Path, output: Path, whole: bytes, tmp_path: Path) -> Path:
        """The partial file that a kill has left."""
        die(tmp_path, "further photos looked at", "encode", folder, output)
        return output.with_name("out.pickle.partial")

    def test_notices_what_has_changed_meanwhile(
        self, run: Run, folder: Path, output: Path, broken_off: Path, tmp_path: Path
    ) -> None:
        """By the bytes, whatever the times and names say."""
        first, second = folder / "alice/000.png", folder / "alice/001.png"
        time = first.stat().st_mtime_ns
        first.write_bytes(picture("alice", take=900))
        os.utime(first, ns=(time, time))
        second.rename(folder / "alice/zzz.png")
        assert "resumed" in run("encode", "-d", folder, "-o", output).output
        assert "resumed" not in run("encode", "-d", folder, "-o", tmp_path / "fresh.pickle").output
        assert output.read_bytes() == (tmp_path / "fresh.pickle").read_bytes()

    def test_can_go_on_with_other_labels(
        self, run: Run, folder: Path, output: Path, broken_off: Path, tmp_path: Path
    ) -> None:
        arguments = ("encode", "-d", folder, "--label-from", "stem", "-o")
        assert "resumed" in run(*arguments, output).output
        run(*arguments, tmp_path / "fresh.pickle")
        assert output.read_bytes() == (tmp_path / "fresh.pickle").read_bytes()

    @pytest.mark.usefixtures("broken_off")
    def test_begins_anew_by_another_method(
        self, run: Run, folder: Path, output: Path, squares: SquaresEngine, whole: bytes
    ) -> None:
        assert "resumed" not in run("encode", "-d", folder, "-o", output, "-m", "hog").output
        assert squares.looked == self.PHOTOS - 1
        assert output.read_bytes() == whole

    @pytest.mark.parametrize("setting", ["DETECT_MAX_SIDE", "SMALLEST_FACE", "MAX_PIXELS"])
    @pytest.mark.usefixtures("broken_off", "squares")
    def test_begins_anew_with_other_settings(
        self, folder: Path, output: Path, make_app: Callable[..., Flask], setting: str
    ) -> None:
        app = make_app(**{setting: {"DETECT_MAX_SIDE": 900, "SMALLEST_FACE": 80, "MAX_PIXELS": 10_000}[setting]})
        with app.app_context():
            result = app.test_cli_runner().invoke(args=["encode", "-d", str(folder), "-o", str(output)])
        assert result.exit_code == 0
        assert "resumed" not in result.output

    @pytest.mark.parametrize(
        "damage",
        [
            lambda data: data[:-7],
            lambda data: data[: len(data) // 2] + b"?" + data[len(data) // 2 + 1 :],
            lambda _: b"junk",
        ],
        ids=["cut off", "in the middle", "not ours"],
    )
    def test_trusts_nothing_that_is_damaged(
        self, run: Run, folder: Path, output: Path, whole: bytes, broken_off: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        broken_off.write_bytes(damage(broken_off.read_bytes()))
        assert run("encode", "-d", folder, "-o", output).exit_code == 0
        assert output.read_bytes() == whole

    @pytest.mark.usefixtures("squares")
    def test_needs_the_place_of_the_partial_file(self, run: Run, folder: Path, output: Path) -> None:
        output.with_name("out.pickle.partial").mkdir()
        assert "cannot be written" in told(run("encode", "-d", folder, "-o", output))


class TestTheProgressBar:
    @pytest.mark.usefixtures("squares")
    def test_shows_how_many_how_fast_and_how_long(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        total = bulk.CHUNK + 2
        folder = fill(tmp_path / "labelled", **{f"{take}.png": picture("alice", take=take) for take in range(total)})
        seconds = count(step=2)
        monkeypatch.setattr("click._termui_impl.time", SimpleNamespace(time=lambda: next(seconds)))
        monkeypatch.setattr("click._termui_impl.isatty", lambda _stream: True)
        output = run("encode", "-d", folder, "-o", tmp_path / "out.pickle").output
        assert f"0/{total}" in output
        assert f"{total}/{total}" in output
        assert re.search(rf"{bulk.CHUNK}/{total} +00:00:\d\d +\d+\.\d photos a second", output), output


class TestImportPhotos:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        files = {
            "one.png": picture("alice", take=1),
            "day/two.png": picture("alice", "bob", take=2),
            "day/again.png": picture("alice", take=1),
            "notes.txt": b"milk",
            ".hidden.png": picture("carol"),
        }
        return fill(tmp_path / "card", **files)

    def test_says_what_came_of_it(self, run: Run, folder: Path, tmp_path: Path) -> None:
        result = run("import-photos", folder)
        assert result.exit_code == 0, result.output
        lines = result.output.splitlines()
        assert lines[-2:] == [
            "skipped notes.txt: The file is not an image.",
            "3 photos imported, 1 of them known before. 1 file was skipped.",
        ]
        assert len(rows(tmp_path, "SELECT id FROM faces")) == 3
        assert_consistent(tmp_path)

    def test_can_leave_the_work_to_the_server(self, run: Run, folder: Path, tmp_path: Path, app: Flask) -> None:
        result = run("import-photos", folder, "--no-wait")
        assert "job 1: the server does it and shows it at /jobs/1/" in result.output
        assert not rows(tmp_path, "SELECT id FROM photos")
        app.extensions["namesake-queue"].work_off()
        assert len(rows(tmp_path, "SELECT id FROM photos WHERE encoded")) == 2

    def test_by_the_keyboard_broken_off_it_goes_on(
        self, run: Run, folder: Path, tmp_path: Path, app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(folder, **{f"more/{take:03}.png": picture("dave", take=take) for take in range(3, 90)})
        engine = app.extensions["namesake"].engine
        with interrupted(engine, after=40):
            assert "the same command goes on from there" in told(run("import-photos", folder))
        assert 0 < len(rows(tmp_path, "SELECT id FROM photos")) < 89
        (job,) = rows(tmp_path, "SELECT state, attempts FROM jobs")
        assert job == {"state": "queued", "attempts": 0}
        result = run("import-photos", folder)
        assert result.output.splitlines()[-1] == "90 photos imported, 1 of them known before. 1 file was skipped."
        assert len(rows(tmp_path, "SELECT id FROM photos WHERE encoded")) == 89

    @pytest.mark.parametrize("argument", ["nowhere", "one.png", ""])
    def test_refuses_what_is_no_folder_with_files(self, run: Run, folder: Path, tmp_path: Path, argument: str) -> None:
        where = folder / argument if argument else fill(tmp_path / "empty", **{".hidden": b""})
        told(run("import-photos", where))
        assert not rows(tmp_path, "SELECT id FROM jobs")


class TestImportAndExport:
    def test_carry_the_training_data_over(self, run: Run, tmp_path: Path, make_app: Callable[..., Flask]) -> None:
        fill(tmp_path / "datasets/reserve", **{"alice/1.png": picture("alice"), "bob/1.png": picture("bob")})
        run("reset", "--yes")
        out = tmp_path / "out.pickle"
        assert run("export-pickle", out).output == f"2 faces written to {out}.\n"
        assert pickle.loads(out.read_bytes()) == published(tmp_path)
        assert run("import-pickle", out).output == "0 faces imported.\n"

    def test_import_refuses_what_is_no_list_of_faces(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "bad.pickle").write_bytes(b"junk")
        assert "damaged" in told(run("import-pickle", tmp_path / "bad.pickle"))

    def test_import_refuses_code(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "evil.pickle").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
        assert "os.system" in told(run("import-pickle", tmp_path / "evil.pickle"))

    def test_import_needs_a_file(self, run: Run, tmp_path: Path) -> None:
        assert "does not exist" in told(run("import-pickle", tmp_path / "nowhere"))

    def test_export_needs_a_folder_that_is_there(self, run: Run, tmp_path: Path) -> None:
        assert told(run("export-pickle", tmp_path / "no/such/folder/out.pickle"))


class TestReset:
    @pytest.fixture
    def reserve(self, tmp_path: Path) -> Path:
        return fill(tmp_path / "datasets/reserve", **{"alice/1.png": picture("alice"), "alice/bad.png": b"no"})

    @pytest.mark.usefixtures("reserve")
    def test_says_first_what_it_will_do_and_then_what_it_did(self, run: Run, app: Flask, tmp_path: Path) -> None:
        result = run("reset", "--yes")
        assert result.exit_code == 0, result.output
        lines = result.output.splitlines()
        assert lines[0] == "0 named faces of 0 people will be replaced."
        assert any(line.startswith("skipped alice/bad.png: ") for line in lines)
        assert "1 face" in lines[-1]
        assert names_in(tmp_path) == ["alice"]
        assert_consistent(app.extensions["namesake"])

    @pytest.mark.usefixtures("reserve")
    def test_asks_unless_told_not_to(self, run: Run, tmp_path: Path) -> None:
        assert "Reset now?" in told(run("reset", input="n\n"))
        assert not rows(tmp_path, "SELECT * FROM jobs")
        assert run("reset", input="y\n").exit_code == 0
        assert names_in(tmp_path) == ["alice"]

    def test_needs_a_reserve(self, run: Run) -> None:
        assert "reserve folder has no photos" in told(run("reset", "--yes"))

    def test_that_fails_says_why(self, run: Run, tmp_path: Path) -> None:
        fill(tmp_path / "datasets/reserve", **{"alice/1.png": picture(None)})
        assert "No photo in the reserve" in told(run("reset", "--yes"))


class TestReconcile:
    def test_says_what_it_found(self, run: Run, tmp_path: Path) -> None:
        fill(tmp_path / "datasets/reserve", **{"alice/1.png": picture("alice"), "bob/1.png": picture("bob")})
        run("reset", "--yes")
        assert "Everything agrees." in run("reconcile").output
        (tmp_path / "datasets/training/alice_01.png").rename(tmp_path / "datasets/uploads/x.png")
        (tmp_path / "datasets/training/bob_01.png").unlink()
        output = run("reconcile").output
        assert "1 photo" in output
        assert "missing or changed: datasets/training/bob_01.png" in output


class TestDemo:
    def test_fills_an_empty_installation_with_the_sample(
        self, app: Flask, run: Run, tmp_path: Path, sample_photos: dict[str, Path]
    ) -> None:
        """With the real engine: these are real photos."""
        del app.extensions["namesake"].engine
        result = run("demo")
        assert result.exit_code == 0, result.output
        assert sorted(names_in(tmp_path)) == ["Barack Obama", "Barack Obama", "Joe Biden"]
        workspace: Workspace = app.extensions["namesake"]
        assert_consistent(workspace)
        assert str(next(iter(sample_photos.values())).parent) in result.output
        again = run("demo")
        assert again.exit_code == 0
        assert "left out" in again.output
        assert len(rows(tmp_path, "SELECT * FROM photos")) == 3

    @pytest.mark.usefixtures("sample_photos")
    def test_can_be_run_again_when_it_was_broken_off(self, run: Run, app: Flask, tmp_path: Path) -> None:
        """`make demo` runs it before it serves: it must not stand in the way for ever after."""
        from app.sample import lay_out_sample

        lay_out_sample(app.extensions["namesake"].settings)
        assert run("demo").exit_code == 0

    def test_leaves_a_reserve_of_ones_own_alone(self, run: Run, tmp_path: Path) -> None:
        reserve = fill(tmp_path / "datasets/reserve", **{"alice/1.png": picture("alice")})
        assert "left out" in run("demo").output
        assert [path.name for path in reserve.rglob("*") if path.is_file()] == ["1.png"]


class TestAsAProcess:
    def run(self, home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
            cwd=PROJECT,
            env=os.environ | {"NAMESAKE_HOME": str(home)} | settings,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_a_command_works_from_the_shell(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, "reconcile")
        assert (done.returncode, done.stderr) == (0, "")
        assert "Everything agrees." in done.stdout

    def test_a_bad_setting_is_told_without_a_stack_trace(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, "reconcile", NAMESAKE_WORKERS="many")
        assert done.returncode == 3
        assert done.stderr == (
            "Namesake cannot start: WORKERS is 'many' (environment), but it must be a whole number from 1 to 64.\n"
        )
