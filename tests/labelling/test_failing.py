"""A step that fails half-way through a decision leaves rows, files and train.pickle as they were."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import IntegrityError

from app.errors import DiskFull
from app.labelling import decisions
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, names_in, snapshot
from tests.labelling.saying import face_of, name, named_photo
from tests.labelling.squares import upload

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

Failure = Callable[[pytest.MonkeyPatch], Any]


@contextmanager
def rename_fails(patch: pytest.MonkeyPatch) -> Iterator[None]:
    def rename(*_args: Any, **_kwargs: Any) -> None:
        raise FULL

    patch.setattr(os, "rename", rename)
    with pytest.raises(DiskFull):
        yield


@contextmanager
def disk_fills_up_while_appending(patch: pytest.MonkeyPatch) -> Iterator[None]:
    real = os.pwrite

    halves = iter([True])

    def half_then_full(descriptor: int, data: bytes, offset: int) -> int:
        if len(data) == 1:  # the STOP that ends the file where it ended before
            return real(descriptor, data, offset)
        if next(halves, False):
            return real(descriptor, data[: len(data) // 2], offset)
        raise FULL

    patch.setattr(os, "pwrite", half_then_full)
    with pytest.raises(DiskFull):
        yield


@contextmanager
def rewrite_fails(patch: pytest.MonkeyPatch) -> Iterator[None]:
    real = os.replace

    def replace(source: Any, target: Any) -> None:
        if Path(source).name.endswith(".tmp") and Path(target).name == "train.pickle":
            raise FULL
        real(source, target)

    patch.setattr(os, "replace", replace)
    with pytest.raises(DiskFull):
        yield


@contextmanager
def commit_fails(_patch: pytest.MonkeyPatch) -> Iterator[None]:
    """SQLite itself refuses to commit: a broken reference that it looks at only then."""

    def break_a_reference(connection: Connection) -> None:
        if connection.get_execution_options().get("namesake_writes"):
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            connection.exec_driver_sql("INSERT INTO rejections VALUES (4711, 4711)")

    event.listen(Engine, "commit", break_a_reference)
    try:
        with pytest.raises(IntegrityError):
            yield
    finally:
        event.remove(Engine, "commit", break_a_reference)


def confirm_someone_known(workspace: Workspace, photo: int, _named: int) -> None:
    name(workspace, photo, "alice")


def confirm_someone_new(workspace: Workspace, photo: int, _named: int) -> None:
    name(workspace, photo, "carol")


def move(workspace: Workspace, _photo: int, named: int) -> None:
    decisions.move(workspace, face_of(workspace, named), "carol")


def unlabel(workspace: Workspace, _photo: int, named: int) -> None:
    decisions.unlabel(workspace, face_of(workspace, named))


@pytest.mark.parametrize(
    ("failure", "action"),
    [
        (rename_fails, confirm_someone_known),
        (rename_fails, confirm_someone_new),
        (rename_fails, move),
        (rename_fails, unlabel),
        (disk_fills_up_while_appending, confirm_someone_known),
        (rewrite_fails, confirm_someone_new),
        (rewrite_fails, move),
        (rewrite_fails, unlabel),
        (commit_fails, confirm_someone_known),
        (commit_fails, confirm_someone_new),
        (commit_fails, move),
        (commit_fails, unlabel),
    ],
)
def test_nothing_has_changed_and_the_next_try_works(
    workspace: Workspace,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: Failure,
    action: Callable[[Workspace, int, int], None],
) -> None:
    named = named_photo(workspace, "alice")
    named_photo(workspace, "bob", take=1)
    photo = upload(workspace, "alice", take=2)
    before = snapshot(home)
    with monkeypatch.context() as patch, failure(patch):
        action(workspace, photo, named)
    assert snapshot(home) == before
    assert_consistent(workspace)
    action(workspace, photo, named)
    assert_consistent(workspace)


@pytest.mark.parametrize("failure", [rename_fails, rewrite_fails, commit_fails])
def test_the_first_confirm_ever_can_fail_too(
    workspace: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch, failure: Failure
) -> None:
    photo = upload(workspace, "alice")
    before = snapshot(home)
    with monkeypatch.context() as patch, failure(patch):
        name(workspace, photo, "alice")
    assert snapshot(home) == before
    name(workspace, photo, "alice")
    assert_consistent(workspace)


@pytest.mark.parametrize("failure", [rename_fails, commit_fails])
def test_an_upload_that_fails_leaves_no_file(
    workspace: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch, failure: Failure
) -> None:
    before = snapshot(home)
    with monkeypatch.context() as patch, failure(patch):
        upload(workspace, "alice")
    assert snapshot(home) == before
    upload(workspace, "alice")
    assert_consistent(workspace)


@pytest.mark.parametrize("damage", [lambda data: data[:-40], lambda data: data + b"more", lambda _data: b"", None])
def test_a_train_pickle_that_someone_damaged_is_written_anew_by_the_next_confirm(
    workspace: Workspace, home: Path, damage: Callable[[bytes], bytes] | None
) -> None:
    named_photo(workspace, "alice")
    path = home / "instance" / "train.pickle"
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    named_photo(workspace, "alice", take=1)
    assert names_in(home) == ["alice", "alice"]
    assert_consistent(workspace)
