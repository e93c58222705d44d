"""Encoded faces of people and strangers, and the halves of them that are fitted on and checked on."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.config import PROJECT, Settings
from app.labelling import encoding, evaluating
from app.labelling.evaluating import Gathered
from app.recognition import images
from app.recognition.engine import Eyesight, load_engine
from app.store.partial import Partial

KEPT = PROJECT / "instance" / "evaluation.encodings"
STRANGER = "?"

Names = NDArray[np.str_]
Rows = NDArray[np.intp]


def gather(folder: Path, settings: Settings) -> Gathered:
    """Encoded as a fresh installation would do it."""
    method = settings.detection_method
    eyesight = Eyesight(method, settings.detect_max_side, settings.smallest_face)
    engine = load_engine(settings.engine, eyesight, PROJECT / "instance" / "models")
    decode = functools.partial(images.decode, max_pixels=settings.max_pixels, enough=eyesight.enough)
    kept = Partial(KEPT, encoding.basis(settings, engine, method))
    return evaluating.gather(folder, engine, decode, kept, counting("photos"))


def named(gathered: Gathered) -> tuple[NDArray[np.float32], Names]:
    """encodings (n, 128), names (n,): a stranger's is the file's, after STRANGER."""
    entries = gathered.encoded.entries
    strange = gathered.strange
    strange = gathered.strange
    names = [STRANGER + Path(one.image_path).stem if one.image_path in strange else one.name for one in entries]
    return np.array([entry.encoding for entry in entries], np.float32), np.array(names, np.str_)


def halves(names: Names, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Rows of one half of the people and strangers, and of the other: nobody is in both."""
    everyone = np.unique(names)
    strange = np.char.startswith(everyone, STRANGER)
    first: list[str] = []
    for group in (everyone[~strange], everyone[strange]):
        first += list(rng.permutation(group)[: len(group) // 2])
    chosen = np.isin(names, first)
    return np.flatnonzero(chosen), np.flatnonzero(~chosen)


def counting(what: str) -> Callable[[int, int], None]:
    """Progress, aside from the tables, for someone who watches."""

    def watch(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} of {total} {what}", end="" if done < total else "\n", file=sys.stderr, flush=True)

    return watch
