"""A few of the cases of `make faults`, and that the harness would notice."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.faults.campaign import Campaign
from tests.faults.control import Control
from tests.faults.disk import LOST, NAMES, Disk
from tests.faults.steps import Steps


def test_nothing_is_lost_to_kills_power_cuts_and_disks_that_will_not() -> None:
    with Campaign(seed=6) as campaign:
        campaign.keep("upload", "confirm someone known")
        campaign.kill(5)
        campaign.refuse(0.15)
    report = campaign.report
    assert report.problems == []
    assert report.kills >= 5
    assert report.power_cuts >= 5
    assert sum(report.refused.values()) >= 12
    assert report.answered[507] > 0
    assert report.answered[500] == 0


class TestADiskWithoutPower:
    """The model, by what a process really does to a folder."""

    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        home = tmp_path / "home"
        for folder in ("instance", "datasets/uploads", "datasets/training"):
            (home / folder).mkdir(parents=True)
        (home / "datasets/uploads/there.png").write_bytes(b"there")
        return home

    @pytest.fixture
    def found(self, home: Path, tmp_path: Path) -> tuple[Path, Path]:
        """(the home, the folder of the log)"""
        (tmp_path / "control").mkdir()
        return home, tmp_path / "control"

    def left(self, home: Path, control: Path, doing: str, survives: str) -> dict[str, bytes]:
        """What is left of the home when a process does that and the power fails."""
        disk = Disk.of(home)
        process = os.fork()
        if not process:
            Steps(Control(control), home).install()
            exec(doing, {"home": home, "os": os})
            os._exit(0)
        assert os.waitpid(process, 0)[1] == 0
        target = home.parent / "left"
        (target / "instance").mkdir(parents=True)
        disk.replay(Control(control).records()).fail(target, survives, random.Random(0))
        return {path.name: path.read_bytes() for path in target.rglob("*") if path.is_file()}

    WRITE = "(home / 'datasets/uploads/new.png').write_bytes(b'new')"
    SYNC = "; h = os.open(home / 'datasets/uploads/new.png', os.O_RDONLY); os.fsync(h)"
    SYNC_FOLDER = "; h = os.open(home / 'datasets/uploads', os.O_RDONLY); os.fsync(h)"
    MOVE = "os.rename(home / 'datasets/uploads/there.png', home / 'datasets/training/moved.png')"

    @pytest.mark.parametrize(
        ("doing", "survives", "expected"),
        [
            (WRITE, LOST, {"there.png": b"there"}),
            (WRITE, NAMES, {"there.png": b"there", "new.png": b""}),
            (WRITE + SYNC, LOST, {"there.png": b"there"}),
            (WRITE + SYNC + SYNC_FOLDER, LOST, {"there.png": b"there", "new.png": b"new"}),
            (WRITE + SYNC_FOLDER, LOST, {"there.png": b"there", "new.png": b""}),
            (MOVE, LOST, {"there.png": b"there"}),
            (MOVE + SYNC_FOLDER, LOST, {"moved.png": b"there"}),
        ],
    )
    def test_has_what_was_synced(
        self, found: tuple[Path, Path], doing: str, survives: str, expected: dict[str, bytes]
    ) -> None:
        assert self.left(*found, doing, survives) == expected

    def test_loses_a_file_with_the_folder_it_went_to(self, found: tuple[Path, Path]) -> None:
        doing = (
            "os.mkdir(home / 'datasets/new'); "
            "os.rename(home / 'datasets/uploads/there.png', home / 'datasets/new/there.png'); "
            "h = os.open(home / 'datasets/new', os.O_RDONLY); os.fsync(h)"
        )
        assert self.left(*found, doing, LOST) == {}
