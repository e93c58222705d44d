"""A short run of `make load`: a team names faces at once, and every face is decided once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.load import CLIENTS, judge, run, share_out
from tests.labelling.consistency import rows


def test_a_team_that_names_faces_at_once_decides_every_one_once(tmp_path: Path, models_folder: Path) -> None:
    found = run(tmp_path, models_folder, 64, seed=9)
    assert found.problems == []
    statuses = [status for told in found.told for _kind, status, _seconds in told.asked]
    assert 409 in statuses
    assert set(statuses) == {200, 409}
    assert any(told.undone for told in found.told)
    # Had one person's answer been lost, it would be seen.
    someone = next(told for told in found.told if told.accepted)
    someone.accepted.append(someone.accepted[0])
    assert any("decided 2 times" in problem for problem in judge(tmp_path, found.told, 64))
    assert rows(tmp_path, "SELECT count(*) AS n FROM faces WHERE status = 'labelled'")[0]["n"] == 264


@pytest.mark.parametrize("seed", [1, 2])
def test_some_of_them_say_something_of_the_same_face_and_of_the_same_group(seed: int) -> None:
    shares = share_out({face_id: f"{face_id}.png" for face_id in range(400)}, random.Random(seed))
    said = [task.face_ids for share in shares for task in share]
    assert len(shares) == CLIENTS
    assert {face_id for ids in said for face_id in ids} == set(range(400))
    twice = {ids for ids in said if said.count(ids) == 2}
    assert {len(ids) for ids in twice} == {1, 8}
