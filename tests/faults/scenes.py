"""The homes that the harness starts from, and what is done to them while the server is killed."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from app import create_app
from app.labelling import decisions, exporting, photos, reading, resetting
from app.labelling.workspace import Workspace
from tests.labelling.squares import SquaresEngine, picture
from tests.server import Server, share_models

Picture = Callable[..., bytes]
"""(people..., take): a photo of these people; another take has other bytes"""


@dataclass(frozen=True)
class Action:
    """start: the template of the home. send: does it, and returns (status, answer). job: goes on in the background.
    again: the statuses that it may be answered with when it is done once more, having been done.
    loose: what comes in several changes, so that some of the photos may be there without the others."""

    name: str
    start: str
    send: Callable[[Server], tuple[int, Any]]
    again: tuple[int, ...] = (409,)
    job: bool = False
    loose: bool = False


@dataclass
class Scenes:
    """The templates, by name, and the actions on them."""

    templates: dict[str, Path]
    actions: list[Action]
    engine: Any
    models: Path | None


def squares(folder: Path) -> Scenes:
    """Faces are coloured squares, and nothing has to be loaded to find them."""
    return _build(folder, picture, SquaresEngine(), None)


def real(folder: Path, sample: dict[str, Path], models: Path) -> Scenes:
    """Faces of people, and the networks that find them."""
    of = {"alice": "obama.jpg", "bob": "biden.jpg", "carol": "obama3.jpg", "dave": "obama2.jpg", "erin": "32bit.png"}

    def shot(*people: str, take: int = 0) -> bytes:
        side = 420 - take  # another take is another picture, not only other bytes
        images = [Image.open(sample[of[person]]).convert("RGB") for person in people]
        for image in images:
            image.thumbnail((side, side))
        canvas = Image.new("RGB", (sum(image.width for image in images), max(image.height for image in images)))
        left = 0
        for image in images:
            canvas.paste(image, (left, 0))
            left += image.width
        data = io.BytesIO()
        canvas.save(data, "PNG")
        return data.getvalue()

    return _build(folder, shot, None, models)


def _build(folder: Path, shot: Picture, engine: Any, models: Path | None) -> Scenes:
    base, after_reset, other = (folder / name for name in ("base", "after reset", "other"))
    ids = _fill(base, shot, engine, models)
    shutil.copytree(base, after_reset, symlinks=True)
    with _Opened(after_reset, engine, models) as (app, workspace):
        app.extensions["namesake-queue"].run(resetting.request_reset(workspace))
    archive = _archive(other, shot, engine, models)
    templates = {"base": base, "after reset": after_reset, "empty": folder / "empty"}
    (folder / "empty").mkdir()
    return Scenes(templates, _actions(ids, shot, archive), engine, models)


def _fill(home: Path, shot: Picture, engine: Any, models: Path | None) -> dict[str, Any]:
    """alice, bob and carol are known; a photo of alice, one of dave and three of bob wait."""
    ids: dict[str, Any] = {}
    for take, person in enumerate(("alice", "alice", "bob", "erin")):
        path = home / "datasets/reserve" / person / f"{take}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(shot(person, take=30 + take))
    with _Opened(home, engine, models) as (_app, workspace):

        def add(person: str, take: int) -> dict[str, Any]:
            photo = photos.add_photo(workspace, shot(person, take=take), f"{person} {take}.png")
            return dict(reading.read_photo(workspace, photo))

        for take, person in enumerate(("alice", "alice", "bob", "carol")):
            photo = add(person, take)
            decisions.confirm(workspace, photo["image_path"], person)
        ids["known"], ids["new"] = add("alice", 5)["image_path"], add("dave", 5)["image_path"]
        ids["group"] = [str(add("bob", take)["faces"][0]["id"]) for take in (5, 6, 7)]
        ids["people"] = {person["name"]: person["id"] for person in reading.read_people(workspace)}
    return ids


def _archive(home: Path, shot: Picture, engine: Any, models: Path | None) -> bytes:
    """What another installation has given out: two photos that are new here and one that is not."""
    with _Opened(home, engine, models) as (_app, workspace):
        for person, take in (("erin", 1), ("frank" if engine else "bob", 2), ("alice", 0)):
            photo = photos.add_photo(workspace, shot(person, take=take), f"{person} {take}.png")
            decisions.confirm(workspace, reading.read_photo(workspace, photo)["image_path"], person)
        exporting.write_archive(workspace, home / "training.zip")
    return (home / "training.zip").read_bytes()


def _actions(ids: dict[str, Any], shot: Picture, archive: bytes) -> list[Action]:
    person = {name: f"/people/{number}" for name, number in ids["people"].items()}
    group, known, new = ids["group"], ids["known"], ids["new"]
    sent = ("two.png", shot("alice", "bob", take=9))
    many = [(f"{take}.png", shot(("alice", "bob")[take % 2], take=take)) for take in range(20, 26)]
    named = {"action": "confirm", "label": "bob", "face_id": group[:2], "reject_id": group[2:]}
    return [
        Action("upload", "base", lambda server: server.post("/upload/", file=sent), (200,)),
        Action("bulk upload", "base", lambda server: server.post("/upload/", file=many), (202,), job=True, loose=True),
        Action("confirm someone known", "base", _post("/confirm/", image_path=known, label="alice")),
        Action("confirm someone new", "base", _post("/confirm/", image_path=new, label="dave")),
        Action("answer for a group", "base", _post("/review/", **named)),
        Action("undo", "base", _post("/undo/"), (200, 409)),
        Action("undo a reset", "after reset", _post("/undo/"), (200, 409)),
        Action("merge", "base", _post(f"{person['carol']}/merge", into="bob"), (404,)),
        Action("rename", "base", _post(f"{person['alice']}/rename", name="Alicia")),
        Action("delete a person", "base", _post(f"{person['alice']}/delete"), (404,)),
        Action("reset", "base", _post("/reset_training/"), (200,), job=True),
        Action("import", "base", lambda server: server.post("/import/", file=("training.zip", archive)), (200,)),
    ]


def _post(path: str, **fields: Any) -> Callable[[Server], tuple[int, Any]]:
    return lambda server: server.post(path, **fields)


class _Opened:
    """An application over a home, for as long as the template is made."""

    def __init__(self, home: Path, engine: Any, models: Path | None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        if models:
            share_models(home, models)
        self._app = create_app(home)
        self._workspace: Workspace = self._app.extensions["namesake"]
        if engine:
            self._workspace.engine = engine

    def __enter__(self) -> tuple[Any, Workspace]:
        return self._app, self._workspace

    def __exit__(self, *_raised: object) -> None:
        self._workspace.close()
