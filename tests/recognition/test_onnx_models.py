"""dlib's networks are converted once, kept and loaded, whatever happens to the files or keeps them from being kept."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.config import PROJECT
from app.recognition import onnx_graphs, onnx_models, verification
from app.recognition.engine import Eyesight, load_engine
from app.recognition.onnx_models import Models
from tests.recognition.conftest import kept

pytestmark = pytest.mark.usefixtures("_forgetful")

EYESIGHT = Eyesight("hog")
PREPARING = "Preparing"


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not about the comparison with dlib, which takes a second: it is left out."""
    monkeypatch.setattr(verification, "compare_with_dlib", lambda _models: None)


@pytest.fixture
def _no_converting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(onnx_graphs, "encoder")
    monkeypatch.delattr(onnx_graphs, "detector")


@pytest.fixture
def copied(models_folder: Path, tmp_path: Path) -> Path:
    """A folder of converted networks, to break."""
    return Path(shutil.copytree(models_folder, tmp_path / "models"))


def encodings(models: Models) -> NDArray[np.float32]:
    photo = np.random.default_rng(0).integers(0, 256, (2, 150, 150, 3), np.uint8)
    return models.encode(photo)


def assert_works(models: Models, usual: Models) -> None:
    picture = verification.group()
    assert models.detector.detect(picture) == usual.detector.detect(picture)
    assert np.array_equal(encodings(models), encodings(usual))


# ---- Once


def test_the_first_start_prepares_and_says_so(
    tmp_path: Path, told: Callable[[], list[str]], models_folder: Path
) -> None:
    folder = tmp_path / "instance" / "models"
    engine = load_engine("onnx", EYESIGHT, folder)
    assert (engine.name, engine.note) == ("onnx", "")
    begun, done = told()
    assert begun.startswith(PREPARING)
    assert "once" in begun
    assert "agree with dlib" in done
    assert kept(folder) == kept(models_folder)


@pytest.mark.usefixtures("_no_converting")
def test_the_next_start_does_not(models_folder: Path, models: Models, told: Callable[[], list[str]]) -> None:
    found = onnx_models.load(models_folder)
    assert found is not models
    assert told() == []
    assert_works(found, models)


def test_engines_of_one_process_share_their_models(models_folder: Path) -> None:
    assert onnx_models.load(models_folder) is onnx_models.load(models_folder)


def test_a_warm_start_leaves_the_folder_alone(copied: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copied.iterdir()}
    onnx_models.load(copied)
    assert {path: path.stat().st_mtime_ns for path in copied.iterdir()} == before


@pytest.mark.usefixtures("trusted")
def test_models_of_another_version_are_not_used(
    copied: Path, told: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_models, "_VERSION", -1)
    onnx_models._key.cache_clear()
    try:
        onnx_models.load(copied)
    finally:
        onnx_models._key.cache_clear()
    assert told()[0].startswith(PREPARING)


# ---- Damage


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    """One bit among the weights, which is still a model, and another one."""
    changed = bytearray(data)
    changed[len(data) // 2 | 3] ^= 0x10
    return bytes(changed)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("name", "damaged"),
    [
        ("encoder", lambda _data: b""),
        ("encoder", cut),
        ("features", cut),
        ("scores", lambda data: data[:-1]),
        ("features", lambda data: b"This is no model. " * 1000),
        ("scores", lambda data: bytes(len(data))),
        ("encoder", flipped),
        ("features", flipped),
        ("scores", flipped),
        ("screen", flipped),
    ],
    ids=[
        "empty",
        "half",
        "half",
        "a byte short",
        "text",
        "zeros",
        "encoder bit",
        "features bit",
        "scores bit",
        "screen bit",
    ],
)
def test_a_damaged_model_is_made_anew(
    copied: Path,
    models: Models,
    told: Callable[[], list[str]],
    name: str,
    damaged: Callable[[bytes], bytes],
) -> None:
    whole = kept(copied)
    (path,) = copied.glob(f"{name}-*")
    path.write_bytes(damaged(whole[path.name]))
    assert_works(onnx_models.load(copied), models)
    assert kept(copied) == whole
    assert any(message.startswith(PREPARING) for message in told())


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("name", ["encoder", "features", "scores", "screen"])
def test_a_missing_model_is_made_anew(copied: Path, models: Models, name: str) -> None:
    whole = kept(copied)
    (path,) = copied.glob(f"{name}-*")
    path.unlink()
    assert_works(onnx_models.load(copied), models)
    assert kept(copied) == whole


@pytest.mark.usefixtures("trusted")
def test_models_that_were_swapped_are_made_anew(copied: Path, models: Models) -> None:
    whole = kept(copied)
    (encoder,), (scores,) = copied.glob("encoder-*"), copied.glob("scores-*")
    encoder.write_bytes(whole[scores.name])
    scores.write_bytes(whole[encoder.name])
    assert_works(onnx_models.load(copied), models)
    assert kept(copied) == whole


def test_what_a_killed_process_left_behind_does_no_harm(copied: Path, models: Models) -> None:
    for path in [copied / name for name in kept(copied)]:
        path.with_suffix(".0123456789abcdef0123456789abcdef.tmp").write_bytes(path.read_bytes()[:1000])
    assert_works(onnx_models.load(copied), models)


KILLED = """
import os, pathlib, sys
from app.recognition import onnx_models, verification
verification.compare_with_dlib = lambda models: None
whole = pathlib.Path.write_bytes
written = []
def write_bytes(path, data):
    written.append(path)
    if len(written) == int(sys.argv[2]):
        whole(path, data[: len(data) // 2])
        os._exit(9)
    return whole(path, data)
pathlib.Path.write_bytes = write_bytes
onnx_models.load(pathlib.Path(sys.argv[1]))
"""


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("nth", [1, 3])
def test_a_process_killed_while_it_keeps_a_model_leaves_no_half_one(
    tmp_path: Path, models_folder: Path, models: Models, nth: int
) -> None:
    folder = tmp_path / "models"
    run = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(nth)], cwd=PROJECT, check=False)
    assert run.returncode == 9
    whole = kept(models_folder)
    assert len(kept(folder)) == nth - 1
    assert all(data == whole[name] for name, data in kept(folder).items())
    assert_works(onnx_models.load(folder), models)
    assert kept(folder) == whole


# ---- Several processes


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answered(process: subprocess.Popen[str]) -> tuple[Any, str]:
    """What a process printed last, as JSON, and what it logged."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1]), err


LOAD = """
import json, logging, pathlib, sys
logging.basicConfig(level=logging.INFO)
for missing in sys.argv[3:]:
    sys.modules[missing] = None
from app.recognition.engine import Eyesight, load_engine
engine = load_engine(sys.argv[1], Eyesight("hog"), pathlib.Path(sys.argv[2]))
found = {name for name in sys.modules if sys.modules[name] is not None}
print(json.dumps({"name": engine.name, "note": engine.note, "modules": sorted(found)}))
"""


def test_processes_that_start_together_convert_once(tmp_path: Path, models_folder: Path) -> None:
    folder = tmp_path / "models"
    started = [start(LOAD, "onnx", folder) for _ in range(3)]
    answers = [answered(process) for process in started]
    assert [answer["name"] for answer, _ in answers] == ["onnx"] * 3
    assert sum(log.count(PREPARING) for _, log in answers) == 1
    assert kept(folder) == kept(models_folder)


def test_a_warm_start_loads_neither_face_recognition_nor_what_converts(models_folder: Path) -> None:
    answer, _ = answered(start(LOAD, "onnx", models_folder))
    assert answer["name"] == "onnx"
    assert "onnxruntime" in answer["modules"]
    assert not {"onnx", "face_recognition", "face_recognition_models"} & set(answer["modules"])


def test_the_dlib_engine_does_without_onnx_runtime(tmp_path: Path) -> None:
    answer, _ = answered(start(LOAD, "dlib", tmp_path / "models"))
    assert (answer["name"], answer["note"]) == ("dlib", "")
    assert not {"onnx", "onnxruntime"} & set(answer["modules"])
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("missing", ["onnxruntime", "onnx"])
def test_without_a_library_the_dlib_engine_serves_and_says_why(tmp_path: Path, missing: str) -> None:
    answer, log = answered(start(LOAD, "onnx", tmp_path / "models", missing))
    assert answer["name"] == "dlib"
    assert missing in answer["note"]
    assert answer["note"] in log


def test_without_the_library_that_converts_a_warm_start_is_none_the_worse(models_folder: Path) -> None:
    answer, _ = answered(start(LOAD, "onnx", models_folder, "onnx"))
    assert (answer["name"], answer["note"]) == ("onnx", "")


# ---- Nowhere to keep them


@pytest.mark.usefixtures("trusted")
class TestNothingCanBeKept:
    def test_because_the_folder_is_a_file(self, tmp_path: Path, models: Models) -> None:
        (tmp_path / "models").write_bytes(b"a file")
        assert_works(onnx_models.load(tmp_path / "models"), models)
        assert (tmp_path / "models").read_bytes() == b"a file"

    def test_because_the_folder_would_be_in_a_file(self, tmp_path: Path, models: Models) -> None:
        (tmp_path / "instance").write_bytes(b"a file")
        assert_works(onnx_models.load(tmp_path / "instance" / "models"), models)

    @pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
    def test_because_the_folder_may_not_be_written_to(self, tmp_path: Path, models: Models) -> None:
        folder = tmp_path / "models"
        folder.mkdir()
        folder.chmod(0o500)
        try:
            assert_works(onnx_models.load(folder), models)
        finally:
            folder.chmod(0o700)

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
    @pytest.mark.parametrize("where", ["write_bytes", "replace", "mkdir"])
    def test_because_the_system_says_no(
        self, tmp_path: Path, models: Models, monkeypatch: pytest.MonkeyPatch, where: str, number: int
    ) -> None:
        def refuse(*_arguments: object, **_options: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(Path, where, refuse)
        found = onnx_models.load(tmp_path / "models")
        monkeypatch.undo()
        assert_works(found, models)
        assert {path.name for path in tmp_path.rglob("*")} <= {"models", "lock"}

    def test_because_the_whole_file_system_is_read_only(
        self, tmp_path: Path, models: Models, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_arguments: object, **_options: object) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        # There, not even what does not exist can be removed.
        for name in ("mkdir", "write_bytes", "replace", "unlink"):
            monkeypatch.setattr(Path, name, refuse)
        found = onnx_models.load(tmp_path / "models")
        monkeypatch.undo()
        assert_works(found, models)

    def test_and_the_log_says_so_once(self, tmp_path: Path, told: Callable[[], list[str]]) -> None:
        (tmp_path / "instance").write_bytes(b"a file")
        assert load_engine("onnx", EYESIGHT, tmp_path / "instance" / "models").note == ""
        messages = told()
        assert len([message for message in messages if "not kept" in message]) == 1
        assert len([message for message in messages if "made anew" in message]) == 0
