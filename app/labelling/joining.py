"""The photos and faces of a checked archive join those that are here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import Row

from app.errors import Conflict
from app.labelling.decisions import decide
from app.labelling.naming import IMPORT, why_not
from app.labelling.placing import place_photo
from app.labelling.wording import many
from app.labelling.workspace import Work, Workspace
from app.store import queries, travelling
from app.store.changes import FACE, PHOTO
from app.store.manifest import ArchivedFace, ArchivedPhoto, Manifest
from app.store.regions import pair

Json = dict[str, Any]
_SAYING = {"ignored": "to be ignored", "not_a_face": "not to be a face"}
# SQLite takes 32,766 values in a statement.
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Staged:
    """A photo out of the archive, checked, in a file of its own that is not in its place yet."""

    path: Path
    size: int
    width: int
    height: int


@dataclass
class Taken:
    """What came in. photos: new ones. named: faces that have a name now. known: faces that had it already. conflicts:
    faces that were decided otherwise here, as {"image_path", "box", "label", "message"}; nothing changed there."""

    photos: int = 0
    named: int = 0
    known: int = 0
    conflicts: list[Json] = field(default_factory=list)

    def in_words(self) -> str:
        """For a person, in two sentences."""
        faces, known = many(self.named, "face"), many(self.known, "face")
        if not self.named and not self.photos:
            return f"Nothing new came in. {known} had the name already."
        return f"{many(self.photos, 'new photo')} came in and {faces} got a name. {known} had it already."


def join(workspace: Workspace, work: Work, found: Manifest, staged: Sequence[Staged | None]) -> Taken:
    """Add what is new and say of every face what the archive says.

    staged: by photo of the manifest; None where the archive has no file, or the photo is here already.
    """
    joining = _Joining(workspace, work, found)
    photo_ids = joining.add_photos(staged)
    face_ids = joining.add_faces(photo_ids)
    joining.decide(photo_ids, face_ids)
    return joining.taken


class _Joining:
    def __init__(self, workspace: Workspace, work: Work, found: Manifest) -> None:
        self.taken = Taken()
        self._workspace, self._work, self._found = workspace, work, found
        self._taken_names = travelling.taken_names(work.connection)
        self._moves: list[tuple[Path, Path]] = []
        self._places: list[Json] = []
        """where new photos go from the uploads"""
        self._people: dict[str, int] = {}
        self._new: set[int] = set()
        """photos that are new here"""
        self._fresh: set[int] = set()
        """faces that are new here"""
        self._named: dict[int, list[str]] = defaultdict(list)
        """who is named in a photo of the manifest"""
        for face in found.faces:
            if face.person is not None:
                self._named[face.photo].append(face.person)

    # ---- Photos

    def add_photos(self, staged: Sequence[Staged | None]) -> list[int]:
        """The photo of each in the manifest: here already, by its hash, or new."""
        live = travelling.live_photos(self._work.connection)
        by_hash = {row.sha256: row for row in live if row.sha256}
        by_path = {self._workspace.folders.image_path(row.folder, row.name): row for row in live if not row.sha256}
        ids = []
        for number, (photo, file) in enumerate(zip(self._found.photos, staged, strict=True)):
            row = by_hash.get(photo.sha256) if photo.sha256 else None
            row = row or (by_path.get(photo.path) if photo.file is None else None)
            if row is None:
                ids.append(self._add_photo(number, photo, file))
                self._new.add(ids[-1])
            else:
                self._restore(row, file)
                ids.append(int(row.id))
        self.taken.photos = len(self._new)
        self._work.move(*self._moves)
        # As if they had been uploaded and then confirmed: undone, they wait among the uploads.
        self._work.watch(PHOTO, *(place["photo_id"] for place in self._places))
        travelling.place_photos(self._work.connection, self._places)
        return ids

    def _restore(self, row: Row[Any], staged: Staged | None) -> None:
        """Bring back the file of a photo that is known, and whose file has gone."""
        path = self._workspace.folders.path(row.folder, row.name)
        if staged is not None and path is not None and not path.exists():
            self._moves.append((staged.path, path))

    def _add_photo(self, number: int, photo: ArchivedPhoto, staged: Staged | None) -> int:
        connection = self._work.connection
        if staged is None and photo.file is not None:
            raise Conflict("Photos were taken away while the archive was read. Nothing was changed: try again.")
        if staged is None or photo.file is None:  # its file is nowhere, the encodings serve all the same
            return queries.add_photo(
                connection,
                folder="elsewhere",
                name=photo.path,
                width=photo.width,
                height=photo.height,
                encoded=True,
            )
        named_for = self._named_for(number, photo)
        upload = self._free_name("uploads", photo.upload_name or photo.file)
        photo_id = queries.add_photo(
            connection,
            folder="uploads",
            name=upload,
            upload_name=upload if photo.upload_name else None,
            sha256=photo.sha256,
            size=staged.size,
            width=staged.width,
            height=staged.height,
            encoded=True,
        )
        folder, name = "uploads", upload
        if named_for is not None:
            folder, name = "training", self._free_name("training", photo.file)
            self._places.append({"photo_id": photo_id, "folder": folder, "name": name, "named_for": named_for})
        self._moves.append((staged.path, self._workspace.folders.roots[folder] / name))
        return photo_id

    def _named_for(self, number: int, photo: ArchivedPhoto) -> int | None:
        named = self._named[number]
        if not named:
            return None
        return self._person(photo.named_for if photo.named_for in named else named[0])

    def _person(self, name: str) -> int:
        if name not in self._people:
            self._people[name] = self._work.person(name)
        return self._people[name]

    def _free_name(self, folder: str, name: str) -> str:
        """As files.free_name, for so many that the names taken are at hand."""
        path, root = PurePosixPath(name), self._workspace.folders.roots[folder]
        taken: set[str] = getattr(self._taken_names, folder)
        free = next(
            each
            for number in count(1)
            if (each := name if number == 1 else f"{path.stem}_{number}{path.suffix}").casefold() not in taken
            and not (root / each).exists()
        )
        taken.add(free.casefold())
        return free

    # ---- Faces

    def add_faces(self, photo_ids: Sequence[int]) -> list[int]:
        """The face of each in the manifest: the one that was found there, be it in a slightly other box, or a new one
        that waits."""
        told: dict[int, list[int]] = defaultdict(list)
        for number, face in enumerate(self._found.faces):
            told[photo_ids[face.photo]].append(number)
        present: dict[int, int] = {}
        for photo_id in told.keys() - self._new:
            rows = queries.faces_of_photo(self._work.connection, photo_id)
            boxes = [(row.top, row.right, row.bottom, row.left) for row in rows]
            places = pair([self._found.faces[number].box for number in told[photo_id]], boxes)
            pairs = zip(told[photo_id], places, strict=True)
            present |= {number: rows[place].id for number, place in pairs if place is not None}
        return [
            present[number] if number in present else self._add_face(photo_ids[face.photo], face)
            for number, face in enumerate(self._found.faces)
        ]

    def _add_face(self, photo_id: int, face: ArchivedFace) -> int:
        face_id = queries.add_face(
            self._work.connection,
            photo_id,
            face.box,
            face.encoding,
            low_quality=face.low_quality,
            flaws=face.flaws,
            revision=self._work.revision,
        )
        self._fresh.add(face_id)
        return face_id

    def decide(self, photo_ids: Sequence[int], face_ids: Sequence[int]) -> None:
        """Say of every face what the archive says, where nothing else was said of it."""
        self._work.watch(FACE, *face_ids)
        rows: dict[int, Row[Any]] = {}
        for start in range(0, len(face_ids), _AT_ONCE):
            rows |= queries.faces_by_id(self._work.connection, face_ids[start : start + _AT_ONCE])
        changed: set[int] = set()
        for face, face_id in zip(self._found.faces, face_ids, strict=True):
            if self._say(rows[face_id], face):
                changed |= {photo_ids[face.photo]} - self._new
                self._add_facts(face_id, face, face_ids)
        for photo_id in sorted(changed):
            place_photo(self._workspace, self._work, photo_id)
        self._work.rewrite = self._work.rewrite or self.taken.named > 0

    def _say(self, row: Row[Any], face: ArchivedFace) -> bool:
        """Whether something is to be said of this face that was not said before."""
        if (face.status, face.person) == (row.status, row.person):
            self.taken.known += face.status == "labelled"
            return row.id in self._fresh
        if face.status == "inbox":
            return False
        why = None if row.id in self._fresh else why_not(self._work, row, face.person or "")
        if why:
            wanted = face.person or _SAYING[face.status]
            path = self._workspace.folders.image_path(row.folder, row.file_name)
            told = {"image_path": path, "box": list(face.box), "label": wanted, "message": why}
            self.taken.conflicts.append(told)
            return False
        person_id = None if face.person is None else self._person(face.person)
        decide(self._work, row, IMPORT, status=face.status, person_id=person_id, decided_at=face.decided)
        self.taken.named += person_id is not None
        return True

    def _add_facts(self, face_id: int, face: ArchivedFace, face_ids: Sequence[int]) -> None:
        """What else is known of a face: how it is used, and what it was said not to be."""
        twin = None if face.twin is None else face_ids[face.twin]
        if face.recognise is not None or twin is not None:
            travelling.set_facts(self._work.connection, face_id, recognise=face.recognise, twin_of=twin)
        if face.rejected or face.vouched:
            rejected, vouched = ([self._person(name) for name in names] for names in (face.rejected, face.vouched))
            travelling.add_lists(self._work.connection, face_id, rejected=rejected, vouched=vouched)
