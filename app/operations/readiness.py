"""Whether this process can take work now. Cheap: asked every few seconds."""

from __future__ import annotations

import shutil

from app.jobs import has_consumer
from app.labelling.photos import MEBIBYTE
from app.labelling.workspace import Workspace
from app.store import checkup

_ROOM = 4
"""How many of the largest photos there must be room for: the photo itself, pictures of it, the store, train.pickle."""


def find_missing(workspace: Workspace) -> dict[str, str]:
    """What is missing before photos can be taken, in words, by what it concerns; empty when nothing is."""
    settings = workspace.settings
    found = {
        "store": checkup.why_not_writable(settings.instance / "namesake.sqlite"),
        "engine": None if workspace.has_engine else "The models are still being loaded.",
        "consumer": None if has_consumer(settings) else "No process works off background jobs.",
        "disk": _short_of_room(workspace),
    }
    return {name: words for name, words in found.items() if words}


def _short_of_room(workspace: Workspace) -> str | None:
    needed = _ROOM * workspace.settings.max_upload_mb
    folders = {workspace.settings.instance, *workspace.folders.roots.values()}
    free = min(shutil.disk_usage(folder).free for folder in folders if folder.exists()) // MEBIBYTE
    return None if free >= needed else f"The disk has {free} MB left; {needed} MB are needed."
