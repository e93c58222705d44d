"""What every use case works with, and the one way to change it: rows, files and train.pickle together or not at
all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from app import meters
from app.config import Settings
from app.labelling.learning import Learner
from app.labelling.publication import Publication
from app.recognition import decoder, images
from app.recognition.calibration import Calibration
from app.recognition.engine import Engine, Eyesight, load_engine
from app.recognition.gallery import Change, Gallery, View
from app.recognition.images import Photo
from app.recognition.openset import ORIGINAL, Method, Recogniser, Suggestion
from app.store import changes, queries, recognised
from app.store.db import Database
from app.store.files import Folders, Journal, make_folder, translate_os_errors


def method_of(settings: Settings) -> Method:
    """How faces get their names."""
    return ORIGINAL if settings.preset == "original" else Method(settings.pca_variance, settings.gamma)


def folders_of(settings: Settings) -> Folders:
    """Where the files of an installation live, be it there yet or not."""
    return Folders.below(
        settings.home,
        uploads=settings.dataset_folder,
        training=settings.dataset_training_folder,
        reserve=settings.dataset_reserve_folder,
    )


DISPLAY_SIDE = 1600
"""the long side of a photo as pages show it, in pixels"""


@dataclass
class Work:
    """One change under way, holding the write lock.

    Use cases write rows through `connection`, move photos with `move`, and say what that means for train.pickle:
    `labelled` names faces that now have a label, `rewrite` that entries already published have changed.

    Whatever a human decides is one action: `decide` says what, and `watch` is told of every row that is about to
    change with it, so that it can be undone.
    """

    connection: Connection
    journal: Journal
    revision: int
    labelled: list[int] = field(default_factory=list)
    rewrite: bool = False
    action: int | None = None
    _moves: list[tuple[Path, Path]] = field(default_factory=list)
    _watched: dict[str, dict[int, changes.Image]] = field(default_factory=dict)

    def decide(self, kind: str, *, before: dict[str, Any], after: dict[str, Any], **more: Any) -> int:
        """Note what was decided: one decision of this action; its id. more: face_id and suggestion, if any."""
        decision = queries.add_decision(self.connection, kind, action=self.action, before=before, after=after, **more)
        self.action = self.action or decision
        return decision

    def watch(self, kind: str, *row_ids: int) -> None:
        """Remember rows (of app.store.changes) as they are before they change; for new ones, that they were not."""
        watched = self._watched.setdefault(kind, {})
        fresh = [row_id for row_id in row_ids if row_id not in watched]
        if fresh:
            watched |= changes.images(self.connection, kind, fresh)

    def made(self, kind: str, row_id: int) -> None:
        """Remember that a row has only now been made."""
        self._watched.setdefault(kind, {})[row_id] = None

    def person(self, name: str) -> int:
        """The person of that name, made if there is none."""
        found = queries.find_person(self.connection, name)
        if found is None:
            found = queries.person_id(self.connection, name)
            self.made(changes.PERSON, found)
        return found

    def keep_changes(self) -> None:
        """Record what became of the rows that were watched."""
        if self.action is not None:
            for kind, before in self._watched.items():
                after = changes.images(self.connection, kind, before)
                found = (changes.Change(kind, row_id, before[row_id], after[row_id]) for row_id in before)
                changes.record(self.connection, self.action, found)

    def move(self, *moves: tuple[Path, Path]) -> None:
        """Move files when the change is complete: all at once, in this order."""
        self._moves += moves

    def move_files(self) -> None:
        """Move them now: for whoever reads a photo in the middle of a change."""
        if self._moves:
            self.journal.move(self._moves)
            self._moves = []


class Workspace:
    """The store, the folders, the engine and the gallery of one installation."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        make_folder(settings.instance)
        self.folders = folders_of(settings)
        self.folders.make()
        make_folder(settings.pickle_path.parent)
        self.database = Database(settings.store_path)
        self._gallery = Gallery()
        self._gallery_lock = threading.Lock()
        self.kept: dict[str, tuple[int, Any]] = {}
        """What was worked out from the whole gallery, by name, with the revision it is of."""
        self._engine_lock = threading.Lock()
        self._learner = Learner()
        self._recogniser = Recogniser(self._gallery, method_of(settings))

    @cached_property
    def engine(self) -> Engine:
        """Loaded when it is first asked for: not before a fork, and not by commands that look at no photo."""
        with self._engine_lock:
            found = self.__dict__.get("engine")
            return found or self.load_engine(self.settings.detection_method)

    @property
    def has_engine(self) -> bool:
        """Whether it is loaded."""
        return "engine" in self.__dict__

    def load_engine(self, method: str) -> Engine:
        """An engine as set up here, but for how it finds faces: "cnn" or "hog"."""
        return load_engine(self.settings.engine, self._eyesight(method), self.settings.instance / "models")

    @property
    def incoming(self) -> Path:
        """A folder for what is made here and not complete; what is left there is swept by reconcile."""
        folder = self.settings.instance / ".incoming"
        folder.mkdir(exist_ok=True)
        return folder

    def decode(self, data: bytes) -> Photo:
        """A photo, as large as recognition and the pages need it, opened apart from this process. Raises what
        decoder.decode raises."""
        with meters.timed("decode_seconds"):
            return decoder.decode(data, max_pixels=self.settings.max_pixels, enough=self._enough())

    def decode_here(self, data: bytes) -> Photo:
        """The same in this process: for commands over one's own folders. Raises what images.decode raises."""
        return images.decode(data, max_pixels=self.settings.max_pixels, enough=self._enough())

    def _enough(self) -> int:
        return max(self._eyesight(self.settings.detection_method).enough, DISPLAY_SIDE)

    def _eyesight(self, method: str) -> Eyesight:
        return Eyesight(method, self.settings.detect_max_side, self.settings.smallest_face)

    @contextmanager
    def changing(self, *, epoch: bool = False, above: int = 0) -> Iterator[Work]:
        """Change rows, files and train.pickle as one: whatever raises inside leaves all three as they were.

        epoch: rows go for good, and every process looks at everything anew. above: the revision is to be higher.
        """
        publication = self._publication()
        work: Work | None = None

        def undo() -> None:
            # What the disk will not put back now is put back before the next change: the journal is still there.
            with suppress(OSError):
                if work is not None:
                    work.journal.undo()
                    publication.undo()
                    work.journal.close()

        with self.database.write(undo) as connection:
            self._settle(connection)
            revision = queries.next_epoch(connection, above) if epoch else queries.next_revision(connection)
            work = Work(connection, Journal(self.settings.instance, revision), revision)
            yield work
            work.keep_changes()
            work.move_files()
            if work.rewrite:
                work.journal.open()
                publication.rewrite(connection, revision)
            elif work.labelled:
                work.journal.open()
                publication.append(connection, work.labelled, revision)
        # Committed: what cannot be tidied up now is settled with the next change.
        with suppress(OSError):
            publication.close()
            work.journal.close()

    @contextmanager
    def still(self) -> Iterator[Connection]:
        """Hold everything as it is after the last change: nobody begins another."""
        with self.database.write() as connection:
            self._settle(connection)
            yield connection

    def settle(self) -> bool:
        """Put back what a killed process left half done. True when there was something."""
        with self.database.write() as connection:
            return self._settle(connection)

    def _settle(self, connection: Connection) -> bool:
        with translate_os_errors():
            interrupted = Journal.settle(self.settings.instance, queries.revision(connection))
            repaired = self._publication().repair(connection)
            return interrupted or repaired

    def _publication(self) -> Publication:
        return Publication(self.settings.pickle_path, self.folders)

    def suggest(self, encodings: list[bytes]) -> list[Suggestion]:
        """Who these faces are, by everything that any process has committed so far."""
        self.refresh_gallery()
        return self.recognise(np.array([queries.unpack(encoding) for encoding in encodings]))

    def recognise(self, encodings: NDArray[np.float32]) -> list[Suggestion]:
        """Who the faces of (m, 128) are, by the gallery as it was last refreshed."""
        return self._recogniser.suggest_many(encodings)

    def recalibrate(self, suggestions: list[Suggestion]) -> list[Suggestion]:
        """The same suggestions, as sure as the answers have it that were given until the gallery was last refreshed."""
        return self._recogniser.recalibrated(suggestions)

    @property
    def calibration(self) -> Calibration:
        """What the user's answers have come to, by the last look at the store."""
        return self._recogniser.calibration

    def view_gallery(self) -> View:
        """The faces used to recognise others, as of everything committed so far."""
        self.refresh_gallery()
        return self._gallery.snapshot()

    def refresh_gallery(self) -> None:
        """Follow the store in as many steps as there were changes."""
        with self._gallery_lock, self.database.read() as connection:
            revision, known = queries.revision(connection), self._gallery.revision
            if revision != known:
                gone: set[int] = set()
                if known and not queries.same_epoch(revision, known):
                    known, gone, self._learner = 0, set(self._gallery.snapshot().face_ids.tolist()), Learner()
                changes = recognised.changes(connection, known, self._gallery.person_of)
                gone -= {face_id for face_id, *_rest in changes}
                changes += [(face_id, None, None) for face_id in gone]
                self._gallery.apply([Change(*change) for change in changes], revision)
                self._recogniser.calibration = self._learner.learn(connection)

    def close(self) -> None:
        self.database.close()
