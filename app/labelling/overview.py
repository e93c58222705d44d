"""The installation at a glance."""

from __future__ import annotations

from typing import Any

from app.config import Settings, table
from app.labelling import archives, progress
from app.labelling.calibrating import describe_calibration
from app.labelling.reading import read_counts
from app.labelling.workspace import Workspace
from app.store import files


def read_overview(workspace: Workspace) -> dict[str, Any]:
    """{"counts", "jobs", "settings", "calibration", "backups", "backups_kept"} as GET /admin/ answers them."""
    settings = workspace.settings
    photos, people = files.photo_count(workspace.folders.roots["reserve"])
    published = settings.pickle_path
    return {
        "counts": read_counts(workspace)
        | {
            "reserve_photos": photos,
            "reserve_people": people,
            "engine": workspace.engine.name,
            "engine_note": workspace.engine.note,
            "train_pickle_bytes": published.stat().st_size if published.exists() else 0,
            "train_pickle_path": settings.training_dataset_path,
        },
        "jobs": progress.newest_jobs(workspace),
        "settings": [
            {
                "name": name,
                "value": _shown(settings, name),
                "source": settings.sources.get(name, "default"),
                "help": field.metadata["help"],
            }
            for name, field in table().items()
        ],
        "calibration": describe_calibration(workspace),
        "backups": [archives.describe(each) for each in archives.kept(workspace)],
        "backups_kept": settings.backups_kept,
    }


def _shown(settings: Settings, name: str) -> Any:
    value = getattr(settings, name.lower())
    return ("set" if value else "") if table()[name].metadata["secret"] else value
