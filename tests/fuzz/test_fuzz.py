"""A short run of what `make fuzz` does at length, and proof that it sees what it looks for."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from app.errors import NamesakeError
from app.labelling import photos
from app.labelling.workspace import Workspace
from app.recognition import images
from app.store import unpickling
from tests.fuzz.archives import fuzz_archives
from tests.fuzz.backups import fuzz_backups
from tests.fuzz.mutations import mutate, parts
from tests.fuzz.photos import fuzz_photos
from tests.fuzz.pickles import fuzz_pickles
from tests.fuzz.seeds import seeds
from tests.fuzz.tally import Tally

SEED = 6


def test_broken_photos_break_nothing(tmp_path: Path, models_folder: Path) -> None:
    tally = Tally()
    fuzz_photos(tally, 180, SEED, tmp_path, models_folder, served=0.2)
    assert tally.violations == []
    assert tally.inputs == 180
    for kind, outcomes in tally.outcomes.items():
        assert outcomes["400"] > 3, f"{kind}: hardly anything is broken"
    kept = sum(outcomes["kept, no face"] for outcomes in tally.outcomes.values())
    assert kept > 20, "hardly anything gets through to the store"


def test_hostile_pickles_do_nothing(tmp_path: Path) -> None:
    tally = Tally()
    fuzz_pickles(tally, 400, SEED)
    assert tally.violations == []
    assert tally.outcomes["pickle"]["read"] > 10
    assert set(tally.outcomes["pickle, every instruction"]) == {"400"}


def test_broken_archives_tables_and_xmp_break_nothing(tmp_path: Path, models_folder: Path) -> None:
    tally = Tally()
    fuzz_archives(tally, 30, SEED, tmp_path, models_folder)
    assert tally.violations == []
    assert {kind: outcomes.total() for kind, outcomes in tally.outcomes.items()} == {"zip": 30, "CSV": 30, "XMP": 30}


def test_broken_backups_break_nothing_even_when_they_are_restored(tmp_path: Path, models_folder: Path) -> None:
    tally = Tally()
    fuzz_backups(tally, 60, SEED, tmp_path, models_folder)
    assert tally.violations == []
    assert tally.outcomes["backup"]["400"] > 20
    assert tally.outcomes["backup"]["taken"] > 5


# --- the seeds, and what is done to them


@pytest.mark.parametrize("kind", seeds())
def test_every_seed_is_a_good_photo(kind: str) -> None:
    for data in seeds()[kind]:
        assert images.decode(data, max_pixels=10**6).pixels.any()


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WebP", "TIFF", "HEIC", "AVIF"])
def test_the_parts_of_a_photo_are_found(kind: str) -> None:
    assert max(len(parts(data)) for data in seeds()[kind]) >= 4


def test_the_same_seed_breaks_them_the_same_way() -> None:
    data, other = seeds()["PNG"][0], seeds()["JPEG"][0]
    made = [[mutate(data, other, random.Random(f"{seed}-{number}")) for number in range(50)] for seed in (1, 1, 2)]
    assert made[0] == made[1]
    assert made[0] != made[2]
    assert sum(broken != data for broken in made[0]) > 45


# --- what would be seen


def _fail(*_arguments: Any) -> Any:
    raise KeyError("a bug")


def _leak(*_arguments: Any) -> Any:
    raise NamesakeError("There is no /tmp/namesake/instance/photo.jpg to be read.")


def _write(workspace: Workspace, *_arguments: Any) -> Any:
    (workspace.settings.instance / "left over").write_bytes(b"x")
    raise NamesakeError("The photo was refused, and something stays behind.")


@pytest.mark.parametrize(
    ("bug", "seen"), [(_fail, "status 500"), (_leak, "words"), (_write, "yet something was written")]
)
def test_a_bug_is_a_violation(
    tmp_path: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch, bug: Any, seen: str
) -> None:
    monkeypatch.setattr(photos, "add_photo", bug)
    tally = Tally()
    fuzz_photos(tally, 9, SEED, tmp_path, models_folder, served=0)
    assert tally.violations
    assert all(seen in violation for violation in tally.violations)


def test_a_pickle_that_ran_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    monkeypatch.setattr(unpickling._PlainUnpickler, "find_class", pickle._Unpickler.find_class)
    tally = Tally()
    fuzz_pickles(tally, 0, SEED)
    assert any("pickle.find_class" in violation for violation in tally.violations)
