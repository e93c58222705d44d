"""An installation with a history: people with names, suggestions that were right and wrong, strangers."""

from __future__ import annotations

from pathlib import Path

from app import create_app
from app.labelling import decisions, reading
from app.labelling.workspace import Workspace
from tests.labelling.squares import SquaresEngine, colour_of, upload

# The last name has no place to break at.
PEOPLE = ("Ana", "Bob", "Cleo", "Dora", "Emil", "Wolfeschlegelsteinhausenbergerdorff" * 2)


def live_through(workspace: Workspace, takes: int = 9) -> None:
    """Everyone of PEOPLE comes `takes` times; now and then a stranger, and twice the wrong name is given."""
    taken = {colour_of(person) for person in PEOPLE}
    strangers = (name for name in map(str, range(1000)) if colour_of(name) not in taken)
    for take in range(takes):
        for number, person in enumerate(PEOPLE):
            label = "Bob" if (person, take) in (("Cleo", 3), ("Dora", 5)) else person
            _confirm(workspace, upload(workspace, person, take=take, name=f"{person}-{take}.png"), label)
            if take % 3 == 0 and number < 2:
                stranger = upload(workspace, next(strangers), take=take, name=f"{take}{number}.png")
                decisions.dismiss(workspace, _face(workspace, stranger), "ignore")


def make_home(home: Path) -> None:
    """The same, in the folder of an installation that is not running."""
    app = create_app(home)
    workspace: Workspace = app.extensions["namesake"]
    workspace.engine = SquaresEngine()
    live_through(workspace)
    workspace.close()


def _confirm(workspace: Workspace, photo: int, label: str) -> None:
    decisions.confirm(workspace, reading.read_photo(workspace, photo)["image_path"], label)


def _face(workspace: Workspace, photo: int) -> int:
    return int(reading.read_photo(workspace, photo)["faces"][0]["id"])
