"""A folder of small photos, from files to encodings, over all cores."""

from __future__ import annotations

import multiprocessing
import uuid
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from multiprocessing.pool import Pool
from pathlib import Path

from app.config import load
from app.labelling.encoding import encode_folder
from app.labelling.workspace import Workspace
from app.recognition.engine import Engine
from app.recognition.processors import processors
from app.store.partial import Finding, Partial
from benchmarks.speed import networks, theirs
from benchmarks.speed.measuring import Row, by_turns, faces
from benchmarks.speed.photos import Photos, below, evenly


class _Counted(Partial):
    """Also counts the faces, those that the photo is not of as well."""

    faces = 0

    def add(self, findings: Iterable[Finding]) -> None:
        found = list(findings)
        self.faces += sum(finding.faces for finding in found)
        super().add(found)


def encode_folders(photos: Photos, home: Path) -> Iterator[Row]:
    """By hog and by the cnn; and how far the two cnns agree."""
    workspace = Workspace(load(home))
    # Not forked: that would copy our threads' locks.
    with multiprocessing.get_context("spawn").Pool(processors(), theirs.api) as pool:
        yield _by_hog(photos, workspace, pool)
        yield from _by_cnn(photos, workspace, pool)
    workspace.close()


def _by_hog(photos: Photos, workspace: Workspace, pool: Pool) -> Row:
    paths = below(photos.many)
    engine = workspace.load_engine("hog")
    runs = 3
    ours, other = by_turns(
        runs,
        lambda: _ours(workspace, engine, photos.many),
        lambda: sum(len(boxes) for boxes, _ in _theirs(pool, paths, "hog")),
    )
    return Row(
        "photos to encodings, hog",
        f"{_rate(len(paths), ours.seconds)}, {faces(ours.result)}",
        f"{_rate(len(paths), other.seconds)}, {faces(other.result)}",
        other.seconds / ours.seconds,
        8,
        (runs, runs),
        holds=ours.result >= other.result,
    )


def _by_cnn(photos: Photos, workspace: Workspace, pool: Pool) -> Iterator[Row]:
    """dlib's goes through a quarter of the photos that ours does."""
    paths = below(photos.few)
    quarter = evenly(paths, max(processors(), len(paths) // 4))
    engine = workspace.load_engine("cnn")
    _ours(workspace, engine, photos.few)
    _theirs(pool, paths[: processors()], "cnn")
    runs = 2
    ours, other = by_turns(
        runs,
        lambda: _ours(workspace, engine, photos.few),
        lambda: _theirs(pool, quarter, "cnn"),
        a_turn=2,
        warm_up=False,
    )
    yield Row(
        "photos to encodings, cnn",
        _rate(len(paths), ours.seconds),
        _rate(len(quarter), other.seconds),
        (len(paths) / ours.seconds) / (len(quarter) / other.seconds),
        20,
        (2 * runs, runs),
    )
    yield networks.agreement(quarter, other.result, engine)


def _theirs(pool: Pool, paths: Sequence[Path], model: str) -> list[theirs.Found]:
    return pool.map(partial(theirs.look, model=model), paths, chunksize=1)


def _ours(workspace: Workspace, engine: Engine, folder: Path) -> int:
    """What `flask encode` does; how many faces it found."""
    found = _Counted(workspace.settings.instance / f"{uuid.uuid4().hex}.partial", {})
    encode_folder(folder, engine, workspace.decode_here, found, label_from="person", watch=lambda _done, _total: None)
    return found.faces


def _rate(photos: int, seconds: float) -> str:
    return f"{photos / seconds:.1f} photos/s"
