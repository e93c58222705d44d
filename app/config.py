"""The settings: one table of name, default, parser and help.

A setting is read from the environment as `NAMESAKE_<NAME>`, else from `instance/config.toml`, else its default
holds. A value that does not parse, and a name that is no setting, stop the start: a misspelt limit must not
pass for a limit.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import itertools
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.errors import ConfigError

PROJECT = Path(__file__).resolve().parent.parent
PREFIX = "NAMESAKE_"
VERSION = "1.0"
"""of the product, as backups name it"""
SHORTEST_PASSWORD, SHORTEST_TOKEN, LONGEST_SECRET = 8, 20, 200


@dataclass(frozen=True)
class Parser:
    """Turns the text of a setting into its value; `allowed` says in words what it takes."""

    allowed: str
    parse: Callable[[str], Any]


def _whole(low: int, high: int) -> Parser:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return Parser(f"a whole number from {low} to {high}", parse)


def _number(above: float, up_to: float) -> Parser:
    def parse(text: str) -> float:
        value = float(text)
        if not above < value <= up_to:
            raise ValueError
        return value

    return Parser(f"a number above {above:g}, {up_to:g} at most", parse)


def _choice(*values: str) -> Parser:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError
        return text

    return Parser(" or ".join(values), parse)


def _text(allowed: str) -> Parser:
    def parse(text: str) -> str:
        if not text.strip() or "\x00" in text:
            raise ValueError
        return text.strip()

    return Parser(allowed, parse)


def _matching(allowed: str, pattern: str) -> Parser:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return Parser(allowed, parse)


def _secret(least: int) -> Parser:
    def parse(text: str) -> str:
        if text and not least <= len(text) <= LONGEST_SECRET:
            raise ValueError
        return text

    return Parser(f"from {least} to {LONGEST_SECRET} characters long", parse)


def _network() -> Parser:
    def parse(text: str) -> str:
        return str(ipaddress.ip_network(text.strip())) if text.strip() else ""

    return Parser("an address, or a network such as 10.0.0.0/24", parse)


_ADDRESS = _matching("address:port", r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-]*):\d{1,5}")
_FOLDER = _text("a folder, absolute or below the folder that holds instance and datasets")


def _setting(default: Any, parser: Parser, help_text: str, *, secret: bool = False) -> Any:
    """secret: its value is never shown, neither on a page nor in a message."""
    return field(default=default, repr=not secret, metadata={"parser": parser, "help": help_text, "secret": secret})


@dataclass(frozen=True)
class Settings:
    """Everything that can be set, parsed. `sources` tells where each value that is not a default came from."""

    home: Path = PROJECT
    dataset_folder: str = _setting("datasets/uploads", _FOLDER, "Where uploaded photos land.")
    dataset_training_folder: str = _setting("datasets/training", _FOLDER, "Where photos with a name live.")
    dataset_reserve_folder: str = _setting(
        "datasets/reserve", _FOLDER, "The labelled photos that a reset starts from. Never written to."
    )
    training_dataset_path: str = _setting(
        "instance/train.pickle", _text("a file"), "Where the training data is published."
    )
    detection_method: str = _setting(
        "cnn",
        _choice("cnn", "hog"),
        "How faces are found: cnn finds more of them, turned and half hidden ones too; hog is faster on small photos.",
    )
    engine: str = _setting(
        "onnx", _choice("onnx", "dlib"), "What runs the networks: ONNX Runtime, or dlib itself, far more slowly."
    )
    detect_max_side: int = _setting(
        800, _whole(200, 10000), "Faces are looked for in a copy of the photo at most this many pixels long."
    )
    smallest_face: int = _setting(
        40, _whole(20, 400), "The smallest face found, in pixels of that copy: half of it takes four times as long."
    )
    preset: str = _setting(
        "namesake",
        _choice("namesake", "original"),
        "How faces get names: original is PCA and label propagation alone (0.90, gamma 20), which knows no strangers.",
    )
    pca_variance: float = _setting(0.99, _number(0, 1), "Share of the variance that PCA keeps.")
    gamma: float = _setting(40.0, _number(0, 10000), "Width of the RBF kernel of the label propagation.")
    max_upload_mb: int = _setting(32, _whole(1, 1024), "The largest photo taken, in megabytes.")
    max_pixels: int = _setting(
        200_000_000, _whole(10_000, 1_000_000_000), "The largest photo taken, in pixels (width x height)."
    )
    password: str = _setting(
        "",
        _secret(SHORTEST_PASSWORD),
        "What lets people in to label; to everything, without ADMIN_PASSWORD.",
        secret=True,
    )
    admin_password: str = _setting("", _secret(SHORTEST_PASSWORD), "What lets people in to everything.", secret=True)
    api_token: str = _setting(
        "", _secret(SHORTEST_TOKEN), "What scripts may show instead, of scope admin.", secret=True
    )
    trusted_proxy: str = _setting(
        "", _network(), "The address or network of the proxy in front, whose word on who asks is believed."
    )
    backups_kept: int = _setting(
        10,
        _whole(1, 1000),
        "How many automatic backups are kept. Those made by hand or brought in stay until someone deletes them.",
    )
    bind: str = _setting("127.0.0.1:8000", _ADDRESS, "Where gunicorn listens.")
    workers: int = _setting(2, _whole(1, 64), "How many gunicorn workers answer.")
    threads: int = _setting(4, _whole(1, 64), "How many threads each gunicorn worker has.")
    log_format: str = _setting(
        "text", _choice("text", "json"), "How lines of the log look: for a terminal, or one JSON object each."
    )
    log_level: str = _setting("info", _choice("debug", "info", "warning", "error"), "The least important lines to log.")
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def instance(self) -> Path:
        return self.home / "instance"

    @property
    def store_path(self) -> Path:
        return self.instance / "namesake.sqlite"

    @property
    def uploads(self) -> Path:
        return self.home / self.dataset_folder

    @property
    def training(self) -> Path:
        return self.home / self.dataset_training_folder

    @property
    def reserve(self) -> Path:
        return self.home / self.dataset_reserve_folder

    @property
    def pickle_path(self) -> Path:
        return self.home / self.training_dataset_path


def table() -> dict[str, dataclasses.Field[Any]]:
    """Every setting under the name it has in the environment and in config.toml."""
    return {f.name.upper(): f for f in dataclasses.fields(Settings) if "parser" in f.metadata}


def load(
    home: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Read the settings.

    home: the folder that holds `instance` and `datasets`; else NAMESAKE_HOME, else the project's own folder.
    overrides: values by setting name that win over everything, as tests and commands give them.
    Raises ConfigError with the name, the value and what is allowed.
    """
    environ = os.environ if environ is None else environ
    home = Path(home or environ.get(PREFIX + "HOME") or PROJECT).resolve()
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    layers = [
        (_from_file(home / "instance" / "config.toml"), "config.toml"),
        (_from_environment(environ), "environment"),
        ({k.upper(): v for k, v in (overrides or {}).items()}, "given"),
    ]
    for layer, source in layers:
        for name, value in layer.items():
            values[name.lower()] = _parse(name, value, source)
            sources[name] = source
    settings = Settings(home=home, sources=sources, **values)
    _check_folders(settings)
    if settings.password and settings.password == settings.admin_password:
        raise ConfigError("PASSWORD and ADMIN_PASSWORD must differ.")
    return settings


def _check_folders(settings: Settings) -> None:
    """A reset empties two of them and copies from the third."""
    folders = {
        "DATASET_FOLDER": settings.uploads.resolve(),
        "DATASET_TRAINING_FOLDER": settings.training.resolve(),
        "DATASET_RESERVE_FOLDER": settings.reserve.resolve(),
    }
    for one, other in itertools.permutations(folders, 2):
        if folders[one].is_relative_to(folders[other]):
            raise ConfigError(f"{one} must not be {other} or lie within it.")


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return {name.upper(): value for name, value in tomllib.loads(path.read_text("utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"instance/config.toml cannot be read: {error}") from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(PREFIX): value
        for name, value in environ.items()
        if name.startswith(PREFIX) and name != PREFIX + "HOME"
    }


def _parse(name: str, value: Any, source: str) -> Any:
    known = table()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else f" The settings are {', '.join(known)}."
        raise ConfigError(f"{name} ({source}) is not a setting.{hint}")
    parser: Parser = known[name].metadata["parser"]
    try:
        return parser.parse(str(value))
    except ValueError:
        if known[name].metadata["secret"]:
            raise ConfigError(f"{name} ({source}) must be {parser.allowed}.") from None
        raise ConfigError(f"{name} is {str(value)!r} ({source}), but it must be {parser.allowed}.") from None
