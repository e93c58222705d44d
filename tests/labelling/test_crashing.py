"""A process killed in the middle of a decision: whoever comes next finds, or makes, a state that agrees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.labelling import decisions, reading
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, names_in, snapshot
from tests.labelling.saying import face_of, name, named_photo, path_of
from tests.labelling.squares import upload
from tests.labelling.workers import die

APPENDING = ("journal written", "photo moved", "half appended", "appended", "committed")
REWRITING = ("journal written", "photo moved", "before the rewrite", "rewritten", "committed")

KILLED = [
    *(("confirm someone known", where) for where in APPENDING),
    *(("confirm someone new", where) for where in REWRITING),
    *(("move", where) for where in REWRITING),
    *(("unlabel", where) for where in REWRITING),
]


class Scene:
    """alice and bob are known, another photo of alice waits. `label` is what the change will say of `face`."""

    def __init__(self, workspace: Workspace, action: str) -> None:
        self.workspace = workspace
        self.home = workspace.settings.home
        named = named_photo(workspace, "alice")
        named_photo(workspace, "bob", take=1)
        photo = upload(workspace, "alice", take=2)
        confirms = action.startswith("confirm")
        self.face = face_of(workspace, photo if confirms else named)
        self.was = None if confirms else "alice"
        self.label = {"confirm someone known": "alice", "unlabel": None}.get(action, "carol")
        self._call = (
            ("confirm", path_of(workspace, photo), self.label, self.face)
            if confirms
            else ("move", self.face, self.label)
            if action == "move"
            else ("unlabel", self.face)
        )

    def kill(self, where: str) -> None:
        action, *arguments = self._call
        die(self.home, where, action, *arguments)

    def again(self, workspace: Workspace) -> None:
        action, *arguments = self._call
        getattr(decisions, action)(workspace, *arguments)

    def label_in(self, workspace: Workspace) -> str | None:
        label: str | None = reading.read_face(workspace, self.face)["label"]
        return label


@pytest.mark.parametrize(("action", "where"), KILLED)
def test_a_restart_finds_all_or_nothing_of_it(
    workspace: Workspace, home: Path, open_workspace: Callable[[], Workspace], action: str, where: str
) -> None:
    scene = Scene(workspace, action)
    before = snapshot(home)
    scene.kill(where)
    restarted = open_workspace()
    assert_consistent(restarted)
    if where == "committed":
        assert scene.label_in(restarted) == scene.label
        return
    assert snapshot(home) == before
    scene.again(restarted)
    assert scene.label_in(restarted) == scene.label
    assert_consistent(restarted)


@pytest.mark.parametrize(("action", "where"), KILLED)
def test_another_living_process_puts_it_right_at_its_next_change(workspace: Workspace, action: str, where: str) -> None:
    scene = Scene(workspace, action)
    scene.kill(where)
    named_photo(workspace, "bob", take=9)
    assert_consistent(workspace)
    assert scene.label_in(workspace) == (scene.label if where == "committed" else scene.was)


@pytest.mark.parametrize("where", REWRITING)
def test_killed_in_the_first_confirm_ever_it_is_made_or_it_is_not(
    workspace: Workspace, home: Path, open_workspace: Callable[[], Workspace], where: str
) -> None:
    photo = upload(workspace, "alice", name="first.png")
    die(home, where, "confirm", path_of(workspace, photo), "alice")
    restarted = open_workspace()
    assert reading.read_counts(restarted)["labelled"] == (1 if where == "committed" else 0)
    assert_consistent(restarted)
    if where != "committed":
        name(restarted, photo, "alice")
    assert names_in(home) == ["alice"]
    assert_consistent(restarted)


def test_killed_again_and_again_it_still_agrees(
    workspace: Workspace, home: Path, open_workspace: Callable[[], Workspace]
) -> None:
    scene = Scene(workspace, "confirm someone new")
    for where in REWRITING:
        scene.kill(where)
    assert scene.label_in(open_workspace()) == "carol"
    assert names_in(home) == ["alice", "bob", "carol"]
    assert_consistent(workspace)
