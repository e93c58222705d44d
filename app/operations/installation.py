"""What an installation consists of beside its records: settings, folders, file modes, models, the consumer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.config import Settings
from app.jobs import has_consumer
from app.labelling.workspace import folders_of
from app.operations.findings import Finding, broken, mend, ok, some
from app.recognition.engine import EngineUnfit
from app.store import checkup

_PRIVATE = ("secret", "namesake.sqlite", "namesake.sqlite-wal", "namesake.sqlite-shm", "train.pickle", "config.toml")
_LOOPBACK = ("127.", "localhost:", "[::1]:")


def check_settings(settings: Settings) -> Iterator[Finding]:
    changed = [f"{name} ({source})" for name, source in sorted(settings.sources.items())]
    local = settings.bind.startswith(_LOOPBACK)
    locked = settings.password or settings.admin_password or checkup.has_password(settings.store_path)
    if not local and not locked:
        words = f"BIND is {settings.bind} but there is no password, so others are refused: flask set-password sets one."
        yield mend("settings", words)
    else:
        yield ok("settings", f"Not at their defaults: {some(changed, 20)}." if changed else "All at their defaults.")


def check_folders(settings: Settings) -> Iterator[Finding]:
    roots = folders_of(settings).roots
    wanted = {"instance": settings.instance, **{kind: roots[kind] for kind in ("uploads", "training", "reserve")}}
    missing = [str(path) for path in wanted.values() if not path.is_dir()]
    closed = [str(path) for kind, path in wanted.items() if path.is_dir() and kind != "reserve" and not _takes(path)]
    if closed:
        yield broken("folders", f"Nothing can be written to {some(closed)}: give them to who runs Namesake.")
    elif missing:
        yield mend("folders", f"{some(missing)} are not there: the next start makes them.")
    else:
        yield ok("folders", "All are there and can be written to.")


def check_modes(settings: Settings) -> Iterator[Finding]:
    """What others on this machine can read: they need the folder too."""
    if not settings.instance.is_dir() or not settings.instance.stat().st_mode & 0o001:
        yield ok("modes", "Nobody else can look into the instance folder.")
        return
    open_ones = [path for path in map(settings.instance.joinpath, _PRIVATE) if path.exists() and _is_open(path)]
    if open_ones:
        words = f"Others on this machine can read {some([path.name for path in open_ones])}: chmod go= them."
        yield mend("modes", words)
    else:
        yield ok("modes", "Nobody else can read the store, the secret or the training data.")


def check_consumer(settings: Settings) -> Iterator[Finding]:
    waiting = checkup.count_waiting(settings.store_path)
    if settings.instance.is_dir() and has_consumer(settings):
        yield ok("consumer", f"It runs; jobs to do: {waiting}.")
    elif waiting:
        yield mend("consumer", f"Jobs to do: {waiting}, and nothing works on them: start the server.")
    else:
        yield ok("consumer", "None runs, and no job waits: it comes with the server.")


def check_models(settings: Settings, *, deep: bool) -> Iterator[Finding]:
    """deep: compute with them, and compare with dlib."""
    if settings.engine == "dlib":
        yield ok("models", "ENGINE is dlib: its own networks serve, far more slowly.")
        return
    folder = settings.instance / "models"
    try:
        # Only here: whatever imports this module, the server's first process too, would load ONNX Runtime.
        from app.recognition import onnx_models

        damaged, missing = onnx_models.find_damage(folder)
        if damaged:
            yield mend("models", f"{some(damaged)} in {folder} are damaged: the next start makes them anew.")
        elif missing:
            yield ok("models", "Not converted yet: the first start does it.")
        elif deep:
            onnx_models.verify(folder)
            yield ok("models", "They compute what dlib computes.")
        else:
            yield ok("models", "They are whole. --deep compares them with dlib.")
    except (EngineUnfit, OSError, ImportError) as error:
        yield broken("models", f"The onnx engine cannot serve, so dlib would, far more slowly: {error}.")


def _takes(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & (0o077 if path.name == "secret" else 0o007))
