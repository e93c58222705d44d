"""Installations that hold photos already. Finding faces is what takes time: it is done once, and the result copied."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from tests.views.shots import landscape, opened, saved, side_by_side
from tests.views.site import Json, Site

Album = tuple[Path, dict[str, Json]]


@pytest.fixture(scope="session")
def shots(sample_photos: dict[str, Path]) -> dict[str, bytes]:
    """Photos by name. `portrait` is small, so that finding its face is quick."""
    obama, biden = (opened(sample_photos[name], height=500) for name in ("obama.jpg", "biden.jpg"))
    return {
        "obama": sample_photos["obama.jpg"].read_bytes(),
        "obama2": sample_photos["obama2.jpg"].read_bytes(),
        "biden": sample_photos["biden.jpg"].read_bytes(),
        "both": saved(side_by_side(obama, biden), quality=92),
        "landscape": saved(landscape()),
        "portrait": saved(opened(sample_photos["obama.jpg"]).crop((310, 70, 700, 460)).resize((160, 160)), quality=92),
    }


@pytest.fixture(scope="session")
def photographed(tmp_path_factory: pytest.TempPathFactory, shots: dict[str, bytes]) -> Album:
    """The folder of an installation into which photos came that nobody has named, and the answers they got."""
    home = tmp_path_factory.mktemp("photographed")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("NAMESAKE_")]:
            patch.delenv(name)
        app = create_app(home)
    site = Site(app, home)
    names = ("obama", "biden", "both", "landscape")
    answers = {name: site.upload((f"{name}.jpg", shots[name])).get_json() for name in names}
    app.extensions["namesake"].close()
    return home, answers


@pytest.fixture
def site(make_app: Callable[..., Flask], tmp_path: Path) -> Site:
    """An installation nobody has used."""
    return Site(make_app(), tmp_path)


@pytest.fixture
def album(make_app: Callable[..., Flask], tmp_path: Path, photographed: Album) -> Site:
    """An installation with photos, nobody named yet."""
    home, answers = photographed
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    return Site(make_app(), tmp_path, copy.deepcopy(answers))


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory, photographed: Album) -> Iterator[tuple[Flask, Path]]:
    here = tmp_path_factory.mktemp("shared")
    shutil.copytree(photographed[0], here, dirs_exist_ok=True)
    app = create_app(here)
    yield app, here
    app.extensions["namesake"].close()


@pytest.fixture
def untouched(_shared: tuple[Flask, Path], photographed: Album) -> Site:
    """As `album`, but one for all tests: only for requests that change nothing. Its client has no cookies yet."""
    return Site(*_shared, copy.deepcopy(photographed[1]))


@pytest.fixture
def run_jobs(monkeypatch: pytest.MonkeyPatch) -> Callable[[Site], Callable[[int], None]]:
    """Keeps an installation from starting a consumer process; what it returns does a job here and now."""

    def run_here(site: Site) -> Callable[[int], None]:
        queue = site.app.extensions["namesake-queue"]
        monkeypatch.setattr(queue, "ensure_consumer", lambda: None)
        run: Callable[[int], None] = queue.run
        return run

    return run_here
