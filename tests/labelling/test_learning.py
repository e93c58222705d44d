"""The confidence learns from decisions: what was suggested, and what the human said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from app.errors import Conflict
from app.labelling import calibrating, decisions, reading
from app.labelling.workspace import Workspace
from app.recognition.calibration import ENOUGH, Calibration, rounds
from app.store.schema import decisions as journal
from tests.labelling.saying import face_of, name, named_photo
from tests.labelling.squares import upload

SHIPPED = {"needed": ENOUGH, "fitted_on": 0, "offset": 0.0, "slope": 1.0}


def answer(workspace: Workspace, count: int, *, wrong: int, first: int = 1) -> None:
    """So many more photos of Ana, each suggested as hers; every `wrong`-th is somebody else's."""
    for take in range(first, first + count):
        photo = upload(workspace, "ana", take=take, name=f"{take}.png")
        if take % wrong == 0:
            decisions.dismiss(workspace, face_of(workspace, photo), "ignore")
        else:
            name(workspace, photo, "ana")


def confidence(workspace: Workspace, take: int = 999) -> float:
    photo = upload(workspace, "ana", take=take, name=f"asked-{take}.png")
    return float(reading.read_photo(workspace, photo)["confidence_score"])


@pytest.fixture
def ana(workspace: Workspace) -> Workspace:
    named_photo(workspace, "ana")
    return workspace


def test_a_decision_keeps_what_the_calibration_is_learnt_from(ana: Workspace) -> None:
    photo = upload(ana, "ana", take=1)
    shown = reading.read_photo(ana, photo)
    name(ana, photo, "ana")
    with ana.database.read() as connection:
        kept: dict[str, Any] = connection.execute(select(journal.c.suggestion).order_by(journal.c.id.desc())).scalar()
    assert kept["person_id"] == kept["best_id"] is not None
    assert kept["confidence"] == shown["confidence_score"] == pytest.approx(kept["chance"] * kept["familiar"])


def test_fewer_than_fifty_answers_change_nothing(ana: Workspace) -> None:
    answer(ana, ENOUGH - 1, wrong=2)
    # Of the first photo nobody was known, so there was nothing to be right or wrong about.
    assert calibrating.describe_calibration(ana) == SHIPPED | {"answers": ENOUGH - 1}
    assert ana.calibration == Calibration()


def test_where_one_in_three_is_wrong_confidence_goes_down(ana: Workspace) -> None:
    before = confidence(ana)
    assert before > 0.95
    answer(ana, ENOUGH + 1, wrong=3)
    described = calibrating.describe_calibration(ana)
    assert described["fitted_on"] == ENOUGH
    assert described["offset"] < 0
    assert 0.5 < confidence(ana, take=998) < 0.85


def test_where_all_are_right_confidence_stays(ana: Workspace) -> None:
    before = confidence(ana)
    answer(ana, ENOUGH + 1, wrong=10**6)
    assert calibrating.describe_calibration(ana)["fitted_on"] == ENOUGH
    assert confidence(ana, take=998) >= before - 0.001


def test_every_worker_comes_to_the_same(ana: Workspace, open_workspace: Callable[[], Workspace]) -> None:
    other = open_workspace()
    answer(ana, ENOUGH + 3, wrong=3)
    fresh = open_workspace()
    for workspace in (ana, other, fresh):
        workspace.refresh_gallery()
    assert ana.calibration == other.calibration == fresh.calibration != Calibration()


def test_it_goes_on_learning(ana: Workspace) -> None:
    answer(ana, ENOUGH, wrong=3)
    ana.refresh_gallery()
    first = ana.calibration
    answer(ana, 20, wrong=1, first=100)
    ana.refresh_gallery()
    assert (first.answers, ana.calibration.answers) == (50, rounds(70))
    assert ana.calibration.offset < first.offset


def test_that_something_is_no_face_says_nothing_about_names(ana: Workspace) -> None:
    for take in range(1, 4):
        photo = upload(ana, "ana", take=take, name=f"{take}.png")
        decisions.dismiss(ana, face_of(ana, photo), "not_a_face")
    assert calibrating.describe_calibration(ana)["answers"] == 0


def test_a_no_counts_against_the_best_name(ana: Workspace) -> None:
    for take in range(1, ENOUGH + 1):
        photo = upload(ana, "ana", take=take, name=f"{take}.png")
        decisions.reject(ana, face_of(ana, photo), "ana")
    described = calibrating.describe_calibration(ana)
    assert (described["answers"], described["fitted_on"]) == (ENOUGH, ENOUGH)
    assert confidence(ana) < 0.5


class TestForgetting:
    def test_goes_back_to_what_was_shipped_and_learns_from_what_is_still_to_come(self, ana: Workspace) -> None:
        before = confidence(ana)
        answer(ana, ENOUGH + 1, wrong=3)
        calibrating.forget_answers(ana)
        assert calibrating.describe_calibration(ana) == SHIPPED | {"answers": 0}
        assert confidence(ana, take=998) >= before - 0.001
        answer(ana, ENOUGH, wrong=2, first=200)
        assert calibrating.describe_calibration(ana)["fitted_on"] == ENOUGH

    def test_reaches_every_worker(self, ana: Workspace, open_workspace: Callable[[], Workspace]) -> None:
        answer(ana, ENOUGH + 1, wrong=3)
        other = open_workspace()
        assert confidence(other) < 0.9
        calibrating.forget_answers(ana)
        other.refresh_gallery()
        assert other.calibration == Calibration()

    def test_keeps_every_name_and_decision(self, ana: Workspace) -> None:
        answer(ana, 5, wrong=3)
        people = reading.read_people(ana)
        with ana.database.read() as connection:
            count = len(connection.execute(select(journal.c.id)).all())
        calibrating.forget_answers(ana)
        assert reading.read_people(ana) == people
        with ana.database.read() as connection:
            assert len(connection.execute(select(journal.c.id)).all()) == count + 1

    def test_of_nothing_is_refused(self, ana: Workspace) -> None:
        with pytest.raises(Conflict, match="nothing to forget"):
            calibrating.forget_answers(ana)
        answer(ana, 1, wrong=10)
        calibrating.forget_answers(ana)
        with pytest.raises(Conflict, match="nothing to forget"):
            calibrating.forget_answers(ana)


def test_confirms_are_followed_one_by_one(
    ana: Workspace, open_workspace: Callable[[], Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other worker is told of each change alone, and never reads the gallery anew."""
    from app.store import recognised

    other = open_workspace()
    other.refresh_gallery()
    told: list[int] = []
    ask = recognised.changes

    def counted(*arguments: Any) -> Any:
        found = list(ask(*arguments))
        told.append(len(found))
        return found

    monkeypatch.setattr(recognised, "changes", counted)
    for take in range(1, 101):
        photo = upload(ana, "ana", take=take, name=f"{take}.png")
        name(ana, photo, "ana")
        told.clear()
        other.refresh_gallery()
        assert sum(told) <= 2
    assert len(other.view_gallery()) == 101
