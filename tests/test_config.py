"""Settings: where they come from, and what stops the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import create_app
from app.config import load, table
from app.errors import ConfigError


def write(home: Path, text: str) -> None:
    (home / "instance").mkdir(exist_ok=True)
    (home / "instance" / "config.toml").write_text(text, "utf-8")


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    settings = load(tmp_path, {})
    assert settings.sources == {}
    for name, field in table().items():
        assert getattr(settings, name.lower()) == field.default


def test_every_default_is_a_value_that_would_be_taken(tmp_path: Path) -> None:
    spelt = {f"NAMESAKE_{name}": str(field.default) for name, field in table().items()}
    settings = load(tmp_path, spelt)
    for name, field in table().items():
        assert getattr(settings, name.lower()) == field.default


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(tmp_path: Path) -> None:
    write(tmp_path, "gamma = 30\nworkers = 3\n")
    settings = load(tmp_path, {"NAMESAKE_GAMMA": "20"})
    assert (settings.gamma, settings.workers, settings.threads) == (20.0, 3, 4)
    assert settings.sources == {"GAMMA": "environment", "WORKERS": "config.toml"}


@pytest.mark.parametrize("name", ["gamma", "GAMMA", "Gamma"])
def test_names_in_the_file_may_be_written_either_way(tmp_path: Path, name: str) -> None:
    write(tmp_path, f"{name} = 12.5\n")
    assert load(tmp_path, {}).gamma == 12.5


def test_folders_are_below_the_home_or_absolute(tmp_path: Path) -> None:
    settings = load(tmp_path, {"NAMESAKE_DATASET_FOLDER": "in", "NAMESAKE_DATASET_RESERVE_FOLDER": "/srv/reserve"})
    assert settings.uploads == tmp_path / "in"
    assert settings.reserve == Path("/srv/reserve")
    assert settings.pickle_path == tmp_path / "instance/train.pickle"


def test_the_home_can_be_named_in_the_environment(tmp_path: Path) -> None:
    assert load(environ={"NAMESAKE_HOME": str(tmp_path)}).home == tmp_path


BAD = [
    ("DATASET_FOLDER", " ", "a folder"),
    ("TRAINING_DATASET_PATH", "", "a file"),
    ("DETECTION_METHOD", "HOG", "cnn or hog"),
    ("ENGINE", "tensorflow", "dlib"),
    ("DETECT_MAX_SIDE", "199", "a whole number from 200 to 10000"),
    ("DETECT_MAX_SIDE", "1600px", "a whole number from 200 to 10000"),
    ("PCA_VARIANCE", "0", "a number above 0, 1 at most"),
    ("PCA_VARIANCE", "nan", "a number above 0, 1 at most"),
    ("PCA_VARIANCE", "99%", "a number above 0, 1 at most"),
    ("GAMMA", "-1", "a number above 0, 10000 at most"),
    ("GAMMA", "inf", "a number above 0, 10000 at most"),
    ("MAX_UPLOAD_MB", "0", "a whole number from 1 to 1024"),
    ("MAX_UPLOAD_MB", "1.5", "a whole number from 1 to 1024"),
    ("MAX_PIXELS", "true", "a whole number from 10000 to 1000000000"),
    ("WORKERS", "65", "a whole number from 1 to 64"),
    ("THREADS", "", "a whole number from 1 to 64"),
    ("BIND", "", "address:port"),
    ("BIND", "somewhere", "address:port"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), BAD)
def test_a_bad_value_is_named_with_what_is_allowed(tmp_path: Path, name: str, value: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, {f"NAMESAKE_{name}": value})
    for told in (name, repr(value), "environment", allowed):
        assert told in refused.value.message


def test_a_bad_value_in_the_file_is_told_to_be_there(tmp_path: Path) -> None:
    write(tmp_path, "workers = 0\n")
    with pytest.raises(ConfigError, match=r"WORKERS is '0' \(config\.toml\)"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("name", "hint"), [("MAX_UPLOADS_MB", "MAX_UPLOAD_MB"), ("DETECTION", "DETECTION_METHOD"), ("GAMA", "GAMMA")]
)
def test_a_misspelt_name_is_told_the_right_one(tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name} .* is not a setting\. Did you mean {hint}\?"):
        load(tmp_path, {f"NAMESAKE_{name}": "1"})


def test_a_name_like_none_is_told_them_all(tmp_path: Path) -> None:
    write(tmp_path, "xyzzy = 1\n")
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, {})
    assert all(name in refused.value.message for name in table())


@pytest.mark.parametrize("text", ["gamma = ", "gamma : 3", "gamma = 1\ngamma = 2", "[gamma"])
def test_a_broken_file_is_told_with_the_place(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ConfigError, match=r"config\.toml cannot be read: .*(line \d|end of document)"):
        load(tmp_path, {})


def test_a_file_that_is_no_text_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance/config.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"config\.toml cannot be read"):
        load(tmp_path, {})


def test_a_bad_setting_stops_the_application(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        create_app(tmp_path, gamma="wide")
    assert not (tmp_path / "datasets").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"dataset_reserve_folder": "datasets/training"},
        {"dataset_reserve_folder": "datasets/training/reserve"},
        {"dataset_folder": "datasets"},
        {"dataset_training_folder": "./datasets/../datasets/uploads"},
    ],
)
def test_folders_that_a_reset_would_mix_up_are_refused(tmp_path: Path, settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="must not be"):
        load(tmp_path, environ={}, overrides=settings)
