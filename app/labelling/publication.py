"""Keeps train.pickle in step with the store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection

from app.store import queries
from app.store.artifact import Artifact, Damaged, Entry
from app.store.files import Folders, copy, sync_folder, translate_os_errors


class Publication:
    """What one change does to train.pickle. Used under the store's write lock only."""

    def __init__(self, path: Path, folders: Folders) -> None:
        self._path = path
        self._artifact = Artifact(path)
        self._folders = folders
        self._good_length: int | None = None
        self._previous: Path | None = None

    def append(self, connection: Connection, face_ids: Sequence[int], revision: int) -> None:
        """Publish faces labelled in this revision: at the end of the file when all their people are in it."""
        length = queries.pickle_length(connection)
        classes = queries.published_names(connection, before=revision)
        entries = self._entries(queries.labelled_faces(connection, face_ids))
        if length is None:
            self.rewrite(connection, revision)
            return
        try:
            with translate_os_errors():
                if {entry.name for entry in entries} <= set(classes):
                    self._good_length = length
                    length = self._artifact.append(entries, classes, length)
                else:
                    self._keep_previous(revision)
                    length = self._artifact.extend(entries, classes, length)
        except Damaged:
            self._good_length = None
            self.rewrite(connection, revision)
            return
        queries.set_pickle_length(connection, length)

    def rewrite(self, connection: Connection, revision: int) -> None:
        """Publish everything anew: a person came or went, or an entry changed."""
        with translate_os_errors():
            self._keep_previous(revision)
            length = self._artifact.rewrite(self._entries(queries.labelled_faces(connection)))
        queries.set_pickle_length(connection, length)

    def repair(self, connection: Connection) -> bool:
        """Make the file again what the store last published, if it is not. True when it was not."""
        committed = queries.revision(connection)
        self._artifact.remove_leftovers()
        for previous in self._path.parent.glob(f".{self._path.name}.before-*"):
            if int(previous.name.rpartition("-")[2]) > committed:
                self._bring_back(previous)
            previous.unlink(missing_ok=True)
        length = queries.pickle_length(connection)
        if length is None or self._artifact.matches(length):
            return False
        try:
            self._artifact.cut_back(length)
        except Damaged:
            rewritten = self._artifact.rewrite(self._entries(queries.labelled_faces(connection)))
            queries.set_pickle_length(connection, rewritten)
        return True

    def undo(self) -> None:
        """Make the file what it was before this change."""
        if self._good_length is not None:
            with contextlib.suppress(Damaged):  # then nothing of ours is in it
                self._artifact.cut_back(self._good_length)
        if self._previous is not None:
            self._bring_back(self._previous)
            self.close()

    def close(self) -> None:
        """The change is committed, or undone."""
        if self._previous is not None:
            self._previous.unlink(missing_ok=True)

    def _keep_previous(self, revision: int) -> None:
        """Hold on to the file as it is, under a name that says until which revision; empty if there is none."""
        previous = self._path.with_name(f".{self._path.name}.before-{revision}")
        previous.unlink(missing_ok=True)
        if not self._path.exists():
            previous.touch()
        else:
            try:
                os.link(self._path, previous)
            except OSError:  # a file system without hard links
                copy(self._path, previous)
        sync_folder(previous.parent)
        self._previous = previous

    def _bring_back(self, previous: Path) -> None:
        if not previous.exists():
            return
        if previous.stat().st_size:
            os.replace(previous, self._path)
        else:
            self._path.unlink(missing_ok=True)
        sync_folder(self._path.parent)

    def _entries(self, rows: Sequence[queries.LabelledFace]) -> list[Entry]:
        return entries_of(self._folders, rows)


def entries_of(folders: Folders, rows: Sequence[queries.LabelledFace]) -> list[Entry]:
    """Labelled faces as train.pickle spells them."""
    return [Entry(folders.image_path(row.folder, row.file_name), row.box, row.encoding, row.person) for row in rows]
