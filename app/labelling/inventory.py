"""What is stored: how much of what, where, since when, and what makes it go away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from app.labelling import archives, pictures
from app.labelling.workspace import Workspace
from app.store import files, inventory
from app.store.artifact import ENCODING_SIZE
from app.store.inventory import Rows

Json = dict[str, Any]

_STORE = "instance/namesake.sqlite"
_BYTES_A_FACE = 4 * ENCODING_SIZE
_ERASE = "Delete for good, on the page of the photo or of the person."
_NEVER = "Nothing: it says only what was done and when. What was deleted for good is taken out of it."


def read_inventory(workspace: Workspace) -> list[Json]:
    """[{"what", "count", "bytes", "where", "since", "goes"}], what matters most first.

    bytes, since: None where that is not kept. where: relative to the installation. goes: what removes it, in words.
    """
    with workspace.database.read() as connection:
        rows, photos = inventory.count_rows(connection), inventory.count_photos(connection)
    return [
        *_photos(workspace, photos),
        *_rows(workspace, rows),
        *_made(workspace),
        *_copies(workspace),
    ]


def _photos(workspace: Workspace, photos: dict[str, Rows]) -> Iterator[Json]:
    folders = workspace.folders.written
    yield _line("Photos without a name yet", photos.get("uploads"), folders["uploads"], _ERASE)
    yield _line("Photos with a name", photos.get("training"), folders["training"], _ERASE)
    aside = "Delete for good: what a person or a photo has here goes, too."
    yield _line("Photos that resets put aside, to undo them", photos.get("backup"), folders["backup"], aside)
    if "elsewhere" in photos:
        known = replace(photos["elsewhere"], bytes=None)
        yield _line("Photos known from a train.pickle, without their file", known, _STORE, _ERASE)
    reserve = _on_disk(path for path, _label in files.labelled_files(workspace.folders.roots["reserve"]))
    yield _line("Photos in the reserve", reserve, folders["reserve"], "You: Namesake only reads them.")


def _rows(workspace: Workspace, rows: dict[str, Rows]) -> Iterator[Json]:
    store = workspace.settings.store_path
    size = sum(path.stat().st_size for path in store.parent.glob(f"{store.name}*"))
    everything = Rows(1, None, size)
    yield _line("The store, in which the next lines are", everything, _STORE, "Each of them as it says.")
    faces = replace(rows["faces"], bytes=rows["faces"].count * _BYTES_A_FACE)
    yield _line("Faces, each with its place in the photo and 128 numbers to recognise it by", faces, _STORE, _ERASE)
    yield _line("Names", rows["people"], _STORE, "Delete for good, on the page of the person.")
    yield _line("Decisions: what was said, when and by whom", rows["decisions"], _STORE, _NEVER)
    yield _line("Changes, with which decisions are undone", rows["changes"], _STORE, _NEVER)
    said = Rows(rows["rejections"].count + rows["vouches"].count)
    gone = "Allow it again under Put aside, or delete the face or the person for good."
    yield _line('"Not this person" and "the name is right"', said, _STORE, gone)
    yield _line("Jobs", rows["jobs"], _STORE, "Nothing. File names in them go when something is deleted for good.")
    yield _line("Sessions of those who logged in", rows["sessions"], _STORE, "Logging out, or the admin page.")
    yield _line("Tokens, as hashes", rows["tokens"], _STORE, "Revoking them on the admin page.")
    yield _line("Attempts to log in, with addresses", rows["attempts"], _STORE, "Time: they are kept for a while only.")


def _made(workspace: Workspace) -> Iterator[Json]:
    """What can be made again."""
    instance = workspace.settings.instance
    published = _on_disk([workspace.settings.pickle_path])
    where = workspace.settings.training_dataset_path
    yield _line("Published training data: named faces with their numbers", published, where, _ERASE)
    for what, pattern in (("Crops of faces", "face-*.jpg"), ("Photos as pages show them", "photo-*.jpg")):
        made = _on_disk(pictures.folder(workspace).glob(pattern))
        yield _line(what, made, "instance/pictures", "Delete for good; or delete the folder: it is made again.")
    sidecars = _on_disk(workspace.folders.roots["training"].glob(f"*{files.SIDECAR_EXTENSION}"))
    yield _line("Sidecars, with names", sidecars, workspace.folders.written["training"], "Delete for good, or you.")
    kept = _on_disk([instance / "evaluation.encodings"])
    yield _line("Numbers kept by the command evaluate", kept, "instance", "Delete for good, or you.")
    sample = _on_disk((instance / "sample").rglob("*"))
    if sample.count:
        yield _line("Public photos that the command demo fetched", sample, "instance/sample", "Delete the folder.")
    models = _on_disk((instance / "models").rglob("*"))
    yield _line("Models, of nobody in particular", models, "instance/models", "Delete the folder: it is made again.")


def _copies(workspace: Workspace) -> Iterator[Json]:
    where = workspace.folders.written["archives"]
    kept = archives.kept(workspace)
    for what, found, goes in (
        (
            "Backups made by hand",
            [each for each in kept if not each.is_automatic and not each.is_brought_in],
            "Delete them on the admin page.",
        ),
        (
            "Backups brought in from a file",
            [each for each in kept if each.is_brought_in],
            "Delete them on the admin page.",
        ),
        (
            "Automatic backups, which share their photos with those that are here",
            [each for each in kept if each.is_automatic],
            "Newer ones, beyond BACKUPS_KEPT; or delete them on the admin page.",
        ),
    ):
        since = min((each.manifest.created_at for each in found), default=None)
        yield _line(what, Rows(len(found), since, sum(each.manifest.bytes for each in found)), where, goes)


def _on_disk(paths: Iterable[Path]) -> Rows:
    stats = [path.stat() for path in paths if path.is_file()]
    oldest = min((stat.st_mtime for stat in stats), default=None)
    since = None if oldest is None else datetime.fromtimestamp(oldest, UTC).replace(tzinfo=None, microsecond=0)
    return Rows(len(stats), since, sum(stat.st_size for stat in stats))


def _line(what: str, rows: Rows | None, where: str, goes: str) -> Json:
    rows = rows or Rows(0, None, 0)
    # Where a setting leads out of the installation is that setting's business: no page tells of this machine's folders.
    shown = "a folder of your own, by the settings" if PurePath(where).is_absolute() else where
    return {
        "what": what,
        "count": rows.count,
        "bytes": rows.bytes,
        "where": shown,
        "since": rows.since,
        "goes": goes,
    }
