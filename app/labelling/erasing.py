"""Deleting for good: a photo, or a person with everything that is known of their face.

Unlike all else it cannot be undone, for nothing is left that it could be undone from: rows, encodings, files, pictures,
the entries of train.pickle, the journal, and what the store's file would remember of them. Crops and the like go out of
the way within the change, and are deleted once it is committed: whoever kills the process loses nothing but that last
step, which the next start makes up for.

Files of one's own that Namesake only reads or has handed out are not touched: the reserve, exports, downloaded backups.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import Connection, Row

from app.errors import Conflict, InvalidInput, NamesakeError, NotFound
from app.labelling import archives, disposing, photos, pictures
from app.labelling.placing import place_photo
from app.labelling.wording import many
from app.labelling.workspace import Work, Workspace
from app.store import backup, copying, files, jobs, people, queries, sidecar, traces
from app.store.backup import Source
from app.store.traces import Doomed

Json = dict[str, Any]
_TOLD = 5


@dataclass(frozen=True)
class Erased:
    """What went. backups: those that still hold it, as archives.describe has them. reserve: photos in the reserve that
    a reset would bring back. scrubbed: the store's file has been written anew."""

    faces: int
    photos: int
    backups: list[Json]
    reserve: int
    scrubbed: bool = True


def in_words(erased: Erased) -> str:
    """What went, for a person."""
    photos = f" and {many(erased.photos, 'photo')}" if erased.photos else ""
    return f"Deleted for good: {many(erased.faces, 'face')}{photos}."


def still_held(erased: Erased) -> list[str]:
    """What somebody who wanted it gone ought to know, a sentence each."""
    told = []
    if erased.backups:
        when = ", ".join(f"{each['created']:%d.%m.%Y %H:%M} UTC" for each in erased.backups[:_TOLD])
        more = f" and {len(erased.backups) - _TOLD} more" if len(erased.backups) > _TOLD else ""
        told.append(f"{many(len(erased.backups), 'backup')} still hold what was deleted: {when}{more}.")
    if erased.reserve:
        told.append(f"{many(erased.reserve, 'photo')} in the reserve would come back with a reset. Delete them there.")
    if not erased.scrubbed:
        told.append("The store's file could not be written anew yet: that is done at the next start.")
    return told


# ---- A person


def describe_person(workspace: Workspace, person_id: int) -> Json:
    """What would go: {"id", "name", "faces", "alone", "shared", "backups", "reserve"}. Raises NotFound.

    alone: photos with nobody else in them. shared: photos that stay in any case.
    """
    with workspace.database.read() as connection:
        person = _person(connection, person_id)
        shown = traces.photos_showing(connection, person_id)
        faces = len(traces.face_ids(connection, person_id=person_id))
        names = traces.names_ever(connection, traces.merged_into(connection, person_id))
    alone = [photo for photo in shown if not photo.others and photo.sha256]
    return {
        "id": person_id,
        "name": person.name,
        "faces": faces,
        "alone": len({photo.sha256 for photo in alone}),
        "shared": len({photo.sha256 for photo in shown if photo.others}),
        "backups": _holding(workspace, (), [person_id], names),
        "reserve": _in_reserve(workspace, {}, person.name),
    }


def find_person(workspace: Workspace, name: str) -> int:
    """Raises NotFound."""
    with workspace.database.read() as connection:
        found = queries.find_person(connection, name.strip())
    if found is None:
        raise NotFound("Nobody has this name.")
    return found


def erase_person(
    workspace: Workspace, person_id: int, confirm: str | None, *, with_photos: bool = False, backups: bool = False
) -> Erased:
    """Delete a person, their faces and every encoding of them.

    confirm: their name. with_photos: photos with nobody else in them go, too; others stay, without this face.
    backups: those in the archives that hold the person are deleted as well. Raises NotFound, InvalidInput, Conflict
    while jobs are under way, and whatever keeps files from being moved: nothing was changed then.
    """
    with workspace.changing(epoch=True) as work:
        connection = work.connection
        person = _person(connection, person_id)
        if (confirm or "").strip() != person.name:
            raise InvalidInput("Type the name exactly as it is written to go on. Nothing was deleted.")
        _refuse_during_jobs(connection)
        shown = traces.photos_showing(connection, person_id)
        gone = [photo for photo in shown if not photo.others and (with_photos or photo.sha256 is None)]
        going = {photo.id for photo in gone}
        everyone = traces.merged_into(connection, person_id)
        doomed = Doomed(
            faces=traces.face_ids(connection, photo_ids=going, person_id=person_id),
            photos=going,
            people=everyone,
            names=traces.names_ever(connection, everyone),
        )
        _put_away(workspace, work, gone, doomed)
        _erase(workspace, work, doomed, [photo for photo in shown if photo.id not in going], "a person")
    return _finish(workspace, doomed, _sizes(gone), person.name, backups)


def _person(connection: Connection, person_id: int) -> Row[Any]:
    """Someone who has a name, be it that their faces are all of the past."""
    person = people.person(connection, person_id)
    if person is None:
        raise NotFound("There is no such person.")
    return person


# ---- A photo


def describe_photo(workspace: Workspace, photo_id: int) -> Json:
    """What would go: {"id", "name", "display", "faces", "backups", "reserve"}. Raises NotFound."""
    with workspace.database.read() as connection:
        same = _photos(connection, photo_id)
        faces = len(traces.face_ids(connection, photo_ids=[photo_id]))
        photo = next(each for each in same if each.id == photo_id)
    sizes = _sizes([photo])
    return {
        "id": photo_id,
        "name": photo.upload_name or photo.name,
        "display": f"/photos/{photo_id}/image.jpg" if photo.sha256 else None,
        "faces": faces,
        "backups": _holding(workspace, sizes),
        "reserve": _in_reserve(workspace, sizes),
    }


def find_photo(workspace: Workspace, image_path: str | None) -> int:
    """Raises InvalidInput and NotFound."""
    with workspace.database.read() as connection:
        return photos.find_photo(workspace, connection, image_path)


def erase_photo(workspace: Workspace, photo_id: int, confirm: str | None, *, backups: bool = False) -> Erased:
    """Delete a photo, and any of the past with the same bytes, with its faces and every encoding of them.

    confirm: the word DELETE. Raises as erase_person does.
    """
    if (confirm or "").strip() != "DELETE":
        raise InvalidInput("Type DELETE to go on. Nothing was deleted.")
    with workspace.changing(epoch=True) as work:
        gone = _photos(work.connection, photo_id)
        _refuse_during_jobs(work.connection)
        going = {photo.id for photo in gone}
        doomed = Doomed(faces=traces.face_ids(work.connection, photo_ids=going), photos=going)
        _put_away(workspace, work, gone, doomed)
        _erase(workspace, work, doomed, [], "a photo")
    return _finish(workspace, doomed, _sizes(gone), None, backups)


def _photos(connection: Connection, photo_id: int) -> list[Row[Any]]:
    found = traces.same_photos(connection, photo_id)
    if not found:
        raise NotFound("There is no such photo.")
    return found


# ---- What both do


def _refuse_during_jobs(connection: Connection) -> None:
    running = jobs.unfinished(connection)
    if running:
        url = f"/jobs/{running[0].id}/"
        raise Conflict("Work on photos is under way: wait for it to end. Nothing was deleted.", job_url=url)


def _erase(workspace: Workspace, work: Work, doomed: Doomed, staying: Sequence[Row[Any]], what: str) -> None:
    traces.erase_faces(work.connection, doomed)
    for photo in staying:
        _rename(workspace, work, photo, doomed)
    traces.erase_rest(work.connection, doomed)
    after = {"what": what, "faces": len(doomed.faces), "photos": len(doomed.photos)}
    queries.add_decision(work.connection, "erase", before={}, after=after)
    work.rewrite = True


def _rename(workspace: Workspace, work: Work, photo: Row[Any], doomed: Doomed) -> None:
    """Let a photo that stays forget whose it was, in its name too."""
    neutral = f"photo-{photo.id}.{photo.name.rpartition('.')[2].lower()}"
    if photo.upload_name and doomed.is_named(photo.upload_name):
        queries.update_photo(work.connection, photo.id, upload_name=neutral)
    if photo.state == "live" and photo.folder in ("uploads", "training"):
        place_photo(workspace, work, photo.id)
        return
    path = PurePosixPath(photo.name)
    if photo.named_for not in (None, *doomed.people) or not doomed.is_named(path.name):
        return
    # Of the past, or known by name alone.
    place = workspace.folders.path(photo.folder, photo.name)
    if place is not None and place.is_file():
        work.move((place, place.with_name(neutral)))
    name = str(path.with_name(neutral)) if place is not None else neutral
    queries.update_photo(work.connection, photo.id, name=name)


def _put_away(workspace: Workspace, work: Work, gone: Iterable[Row[Any]], doomed: Doomed) -> None:
    """Everything on disk that is made of these photos, faces and names."""
    paths = [path for photo in gone if (path := workspace.folders.path(photo.folder, photo.name)) is not None]
    paths += [path.with_name(path.name + files.SIDECAR_EXTENSION) for path in paths]
    paths += [path for path in _sidecars(workspace, doomed) if path not in paths]
    made = [pictures.thumb_path(workspace, face_id) for face_id in doomed.faces]
    made += [pictures.display_path(workspace, photo_id) for photo_id in doomed.photos]
    made.append(
        workspace.settings.instance / "evaluation.encodings"
    )  # of folders of one's own, the same photos among them perhaps
    work.move(*disposing.moves(workspace, work.revision, paths, made))


def _sidecars(workspace: Workspace, doomed: Doomed) -> list[Path]:
    """Sidecars of ours in which the person is named or whose own name has theirs: they are written anew when someone
    asks for them. A reset puts them aside with the photos."""
    found = []
    roots = [workspace.folders.roots[kind] for kind in ("training", "uploads", "backup")]
    for path in sorted(path for root in roots for path in root.rglob(f"*{files.SIDECAR_EXTENSION}")):
        try:
            data = files.read_bytes(path)
            if sidecar.is_ours(data) and (
                doomed.is_named(path.name) or any(doomed.is_named(region.name) for region in sidecar.read(data).regions)
            ):
                found.append(path)
        except NamesakeError:
            continue
    return found


def _sizes(photos: Iterable[Row[Any]]) -> dict[str, int]:
    """In bytes, by the sha256, of those whose file is known."""
    return {photo.sha256: photo.size for photo in photos if photo.sha256}


def _finish(workspace: Workspace, doomed: Doomed, sizes: dict[str, int], name: str | None, backups: bool) -> Erased:
    scrubbed = disposing.dispose(workspace)
    holding = _holding(workspace, sizes, doomed.people, doomed.names)
    if backups:
        for each in holding:
            archives.remove(workspace, each["name"])
        holding = []
    return Erased(len(doomed.faces), len(doomed.photos), holding, _in_reserve(workspace, sizes, name), scrubbed)


def _holding(
    workspace: Workspace, hashes: Collection[str], person_ids: Collection[int] = (), names: Collection[str] = ()
) -> list[Json]:
    """The backups in the archives that hold one of these photos, or the person. Those of elsewhere number people in
    their own way: they are asked for names alone."""
    found = []
    for each in archives.kept(workspace):
        with backup.open_backup(each.path) as source:
            numbers = () if each.is_brought_in else person_ids
            has_photo = any(backup.photo_hash(member) in hashes for member in source.names)
            if has_photo or (names and _mentions(source, numbers, names)):
                found.append(archives.describe(each))
    return found


def _mentions(source: Source, person_ids: Collection[int], names: Collection[str]) -> bool:
    with source.open(backup.STORE) as file:
        return copying.mentions(file.read(), person_ids, names)


def _in_reserve(workspace: Workspace, sizes: dict[str, int], name: str | None = None) -> int:
    """How many photos in the reserve have these bytes, or are labelled with this name. sizes: by sha256. A page waits
    for this, and the reserve may be large: what has another size is not read."""
    lengths = set(sizes.values())

    def is_one(path: Path) -> bool:
        return bool(lengths) and path.stat().st_size in lengths and files.sha256(path) in sizes

    labelled = files.labelled_files(workspace.folders.roots["reserve"])
    return sum(label == name or is_one(path) for path, label in labelled)
