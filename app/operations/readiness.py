"""Whether this process can take work now. Cheap: asked every few seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

from app.config import Settings
from app.jobs import has_consumer
from app.labelling.photos import MEBIBYTE, ROOM
from app.labelling.workspace import Workspace
from app.store import checkup


def find_missing(workspace: Workspace) -> dict[str, str]:
    """What is missing before photos can be taken, in words, by what it concerns; empty when nothing is."""
    settings = workspace.settings
    found = {
        "store": checkup.why_not_writable(settings.store_path),
        "engine": None if workspace.has_engine else "The models are still being loaded.",
        "consumer": None if has_consumer(settings) else "No process works off background jobs.",
        "disk": short_of_room(settings),
    }
    return {name: words for name, words in found.items() if words}


def short_of_room(settings: Settings) -> str | None:
    """In words; None when there is room enough."""
    needed = ROOM * settings.max_upload_mb
    free = free_mb(settings.instance, settings.uploads, settings.training)
    return None if free >= needed else f"The disk has {free:,} MB left, and {needed:,} MB are needed."


def free_mb(*folders: Path) -> int:
    """Where there is least, of the disks that these folders are on, or will be."""
    there = [next(path for path in (folder, *folder.parents) if path.exists()) for folder in folders]
    return min(shutil.disk_usage(path).free for path in there) // MEBIBYTE
