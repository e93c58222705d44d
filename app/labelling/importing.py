"""A folder on disk -> photos in uploads, with their faces found. The folder itself is never touched."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from app.errors import InvalidInput, NamesakeError
from app.labelling import photos, sidecars
from app.labelling.finding import find_faces
from app.labelling.turns import DEADLY, Turn
from app.labelling.workspace import Workspace
from app.recognition.processors import processors
from app.store import files, jobs, uploads


@dataclass(frozen=True)
class Imported:
    """What happened to a file: it is a photo of the store now, new or known before; or `problem` says why not."""

    file: Path
    photo: photos.Taken | None = None
    problem: NamesakeError | None = None


def request_import(workspace: Workspace, folder: Path) -> int:
    """Put the import of a folder on the list of jobs; its id. Hidden files are left out.

    An import of the same folder that is not finished goes on, with the files that have come since. Raises
    InvalidInput when there is no file.
    """
    folder = folder.resolve()
    found = [str(path.relative_to(folder)) for path, _label in files.labelled_files(folder)]
    if not found:
        raise InvalidInput("There are no files in this folder.")
    with workspace.database.write() as connection:
        for job in jobs.unfinished(connection, "import"):
            if job.payload["folder"] == str(folder):
                listed = list(dict.fromkeys([*job.payload["files"], *found]))
                jobs.change(connection, job.id, payload=job.payload | {"files": listed}, total=len(listed))
                return int(job.id)
        payload = {"folder": str(folder), "files": found, "newest": uploads.newest(connection)}
        return jobs.add(connection, "import", payload, len(found), "Waiting to start")


def import_next(workspace: Workspace, payload: dict[str, Any], turn: Turn) -> None:
    """Store the next files of the folder, then find the faces of these photos."""
    folder = Path(payload["folder"])
    if not folder.is_dir():
        raise InvalidInput(f"The folder {_printable(str(folder))} is gone. What was imported until then is kept.")
    names: Sequence[str] = turn.take(payload["files"])
    if turn.is_deadly():
        turn.note(1, [(_printable(names[0]), DEADLY)])
        return
    with ThreadPoolExecutor(processors(), "import") as pool:
        imported = list(pool.map(partial(import_file, workspace), [folder / name for name in names]))
    stored = {one.photo.photo_id: name for name, one in zip(names, imported, strict=True) if one.photo}
    refused = [(name, one.problem) for name, one in zip(names, imported, strict=True) if one.problem]
    refused += [(stored[photo_id], error) for photo_id, error in find_faces(workspace, list(stored))]
    applied = sidecars.apply_found(workspace, {photo_id: folder / name for photo_id, name in stored.items()})
    named = sum(len(one.named) for one in applied.values())
    if named:
        turn.result["named"] = turn.result.get("named", 0) + named
    new = _count_new(workspace, turn, payload["newest"], [one.photo.photo_id for one in imported if one.photo])
    turn.result["known"] = turn.result.get("known", 0) + len(names) - len(refused) - new
    turn.note(len(names), [(_printable(name), error.message) for name, error in refused])


def _count_new(workspace: Workspace, turn: Turn, newest: int, photo_ids: Sequence[int]) -> int:
    """How many photos this import was the first to bring.

    newest: the last photo there was before it. What a killed turn has stored is known when it is done again, and new
    all the same: `_newest` is the last photo before the turn that was killed, `_met` those counted since.
    """
    result = turn.result
    met = set(result.pop("_met", []))
    new = {photo_id for photo_id in photo_ids if photo_id > result.get("_newest", newest)} - met
    if turn.is_careful():
        result["_met"] = sorted(met | new)
    else:
        with workspace.database.read() as connection:
            result["_newest"] = uploads.newest(connection)
    return len(new)


def import_file(workspace: Workspace, path: Path) -> Imported:
    """Take in one file, whose faces are found later: what happened to it."""
    try:
        photos.check_size(workspace, path.stat().st_size)
        return Imported(path, photos.take_in(workspace, files.read_bytes(path), path.name))
    except NamesakeError as error:
        if error.status >= 500:
            raise
        return Imported(path, problem=error)


def _printable(name: str) -> str:
    """A file's name whatever bytes it is made of."""
    return name.encode(errors="replace").decode()
