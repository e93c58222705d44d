"""What runs here: Python, the packages, and how they agree with what was pinned."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from collections.abc import Iterator

from app.config import PROJECT
from app.labelling.workspace import Workspace
from app.store.schema import VERSION

LEAST_PYTHON = (3, 11)


def build(workspace: Workspace) -> dict[str, str]:
    """What metrics say of it."""
    return {"python": platform.python_version(), "engine": workspace.settings.engine, "store": str(VERSION)}


def find_strays() -> Iterator[str]:
    """Packages that are not the ones that the lock names, in words."""
    lock = (PROJECT / "packaging/requirements.lock").read_text("utf-8")
    for name, pinned in re.findall(r"^([\w.\-]+)==([\w.]+)", lock, re.MULTILINE):
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{name} {pinned} is not installed"
        else:
            if found != pinned:
                yield f"{name} is {found}, not {pinned}"
