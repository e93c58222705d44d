"""Which labelled faces are in the gallery: followed change by change, and the same for someone who starts afresh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from app.recognition.gallery import Change, Gallery
from app.store import queries, recognised
from app.store.db import Database
from app.store.schema import faces, photos

ANA, BEN = "Ana", "Ben"


@dataclass
class Album:
    """A store, and a gallery that follows it by asking for what changed."""

    database: Database
    gallery: Gallery = field(default_factory=Gallery)
    made: int = 0

    def face(self, person: str | None = None, **values: Any) -> int:
        """A new face in a photo of its own."""
        self.made += 1
        with self.database.write() as connection:
            revision = queries.next_revision(connection)
            photo = queries.add_photo(connection, folder="uploads", name=f"{self.made}.jpg", encoded=True)
            face = queries.add_face(
                connection,
                photo,
                (0, 1, 1, 0),
                queries.pack(np.full(128, self.made)),
                low_quality=values.pop("low_quality", False),
                revision=revision,
                person_id=None if person is None else queries.person_id(connection, person),
            )
            connection.execute(update(faces).where(faces.c.id == face).values(**values) if values else select(1))
        return face

    def change(self, face: int, person: str | None, **values: Any) -> None:
        """Name a face, or take its name away."""
        with self.database.write() as connection:
            revision = queries.next_revision(connection)
            person_id = None if person is None else queries.person_id(connection, person)
            values = {"labelled_at_revision": revision if person else None} | values
            status = "inbox" if person is None else "labelled"
            connection.execute(
                update(faces)
                .where(faces.c.id == face)
                .values(status=status, person_id=person_id, revision=revision, **values)
            )

    def say(self, face: int, recognise: bool | None) -> None:
        with self.database.write() as connection:
            recognised.set_recognise(connection, face, recognise, queries.next_revision(connection))

    def retire(self, face: int) -> None:
        """Its photo is one of the past."""
        with self.database.write() as connection:
            revision = queries.next_revision(connection)
            photo = connection.execute(select(faces.c.photo_id).where(faces.c.id == face)).scalar()
            connection.execute(update(photos).where(photos.c.id == photo).values(state="retired"))
            connection.execute(update(faces).where(faces.c.id == face).values(revision=revision))

    @property
    def used(self) -> set[int]:
        """What the gallery holds once it has followed; the same as for someone who starts now."""
        with self.database.read() as connection:
            revision = queries.revision(connection)
            changes = recognised.changes(connection, self.gallery.revision, self.gallery.person_of)
            afresh = recognised.changes(connection, 0, lambda _face: None)
            every = connection.execute(select(faces.c.id)).scalars().all()
            listed = recognised.used(connection, every)
        self.gallery.apply([Change(*each) for each in changes], revision)
        followed = set(self.gallery.snapshot().face_ids.tolist())
        assert followed == {face for face, person, _ in afresh if person is not None} == listed
        return followed


@pytest.fixture
def album(tmp_path: Path) -> Iterator[Album]:
    database = Database(tmp_path / "store.sqlite")
    yield Album(database)
    database.close()


def test_a_flawed_face_is_not_used_beside_a_sound_one(album: Album) -> None:
    sound, flawed = album.face(ANA), album.face(ANA, low_quality=True)
    assert album.used == {sound}
    assert flawed not in album.used


def test_who_has_nothing_better_is_recognised_by_flawed_faces_until_a_sound_one_comes(album: Album) -> None:
    flawed = {album.face(ANA, low_quality=True), album.face(ANA, low_quality=True)}
    assert album.used == flawed
    sound = album.face()
    assert album.used == flawed
    album.change(sound, ANA)
    assert album.used == {sound}
    album.change(sound, BEN)
    assert album.used == flawed | {sound}
    album.change(sound, ANA)
    assert album.used == {sound}
    album.change(sound, None)
    assert album.used == flawed
    album.change(sound, ANA)
    album.retire(sound)
    assert album.used == flawed


def test_what_a_human_says_counts(album: Album) -> None:
    sound, flawed = album.face(ANA), album.face(ANA, low_quality=True)
    album.say(flawed, True)
    assert album.used == {sound, flawed}
    album.say(sound, False)
    assert album.used == {flawed}
    album.say(flawed, False)
    assert album.used == set(), "a no is a no, even for the last one"
    album.say(flawed, None)
    assert album.used == {flawed}
    album.say(sound, None)
    assert album.used == {sound}


def test_the_same_picture_again_is_not_used_twice(album: Album) -> None:
    first = album.face(ANA)
    again = album.face(ANA, twin_of=first)
    assert album.used == {first}
    album.change(first, BEN)
    assert album.used == {first, again}
    album.change(first, None)
    assert album.used == {again}


def test_two_that_name_each_other_leave_one(album: Album) -> None:
    first = album.face(ANA)
    again = album.face(ANA, twin_of=first)
    album.change(first, None)
    album.change(first, ANA, twin_of=again)
    assert album.used == {again}


def test_a_picture_repeats_none_that_is_not_used_itself(album: Album) -> None:
    other, blurred = album.face(ANA), album.face(ANA, low_quality=True)
    again = album.face(ANA, twin_of=blurred)
    assert album.used == {other, again}
    album.say(blurred, True)
    assert album.used == {other, blurred}
    album.say(other, False)
    album.say(blurred, False)
    assert album.used == {again}


def test_a_face_without_a_name_is_never_used(album: Album) -> None:
    face = album.face(recognise=True)
    assert album.used == set()
    album.change(face, ANA)
    assert album.used == {face}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_a_gallery_that_follows_is_one_that_starts_afresh(album: Album, seed: int) -> None:
    rng = np.random.default_rng(seed)
    known: list[int] = []
    for _ in range(40):
        person = [ANA, BEN, None][rng.integers(3)]
        if len(known) < 4 or rng.random() < 0.2:
            twin = int(rng.choice(known)) if known and rng.random() < 0.5 else None
            known.append(album.face(person, low_quality=bool(rng.random() < 0.5), twin_of=twin))
        elif rng.random() < 0.6:
            album.change(int(rng.choice(known)), person)
        else:
            album.say(int(rng.choice(known)), [None, True, False][rng.integers(3)])
        assert album.used is not None  # compares the two inside


def test_only_faces_of_people_concerned_are_delivered(album: Album) -> None:
    for person in (ANA, BEN):
        album.face(person)
        album.face(person, low_quality=True)
    album.used  # noqa: B018 - brings the gallery here
    new = album.face(BEN)
    with album.database.read() as connection:
        delivered = {
            face for face, *_ in recognised.changes(connection, album.gallery.revision, album.gallery.person_of)
        }
    assert delivered == {4, new}


def test_when_very_many_people_changed_nobody_is_forgotten(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognised, "_LISTED", 0)
    flawed, sound = album.face(ANA, low_quality=True), album.face(ANA)
    assert album.used == {sound}
    album.change(sound, None)
    assert album.used == {flawed}
