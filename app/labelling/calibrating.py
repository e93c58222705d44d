"""What has been learnt about the confidence from the user's answers, and forgetting it."""

from __future__ import annotations

from typing import Any

from app.errors import Conflict
from app.labelling.learning import usable_answers
from app.labelling.workspace import Workspace
from app.recognition.calibration import ENOUGH
from app.store import calibrations
from app.store.changes import CALIBRATION


def describe_calibration(workspace: Workspace) -> dict[str, Any]:
    """answers: how many count. fitted_on: how many of them are in the calibration in use, 0 while they are too few;
    needed: how many it takes. offset, slope: of the log odds; 0 and 1 change nothing."""
    workspace.refresh_gallery()
    used = workspace.calibration
    with workspace.database.read() as connection:
        answers = len(usable_answers(connection, calibrations.begin_after(connection)))
    return {
        "answers": answers,
        "needed": ENOUGH,
        "fitted_on": used.answers,
        "offset": used.offset,
        "slope": used.slope,
    }


def forget_answers(workspace: Workspace) -> None:
    """Go back to the confidence as shipped: only answers still to come count. Raises Conflict when there are none to
    forget."""
    with workspace.changing() as work:
        before = calibrations.begin_after(work.connection)
        if not usable_answers(work.connection, before):
            raise Conflict("Nothing has been learnt from your answers yet, so there is nothing to forget.")
        row, after = calibrations.forget(work.connection)
        work.made(CALIBRATION, row)
        work.decide("forget_answers", before={"after_decision": before}, after={"after_decision": after})
