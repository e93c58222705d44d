"""Looks at an installation as it is, and says what is wrong with it. Nothing is made or mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app import config
from app.errors import ConfigError
from app.operations import installation, machine, records
from app.operations.findings import Finding, broken


def examine(home: Path | None = None, *, deep: bool = False) -> Iterator[Finding]:
    """Every check, one after the other.

    home: as config.load takes it. deep: compute with the models, and read every photo.
    """
    yield from machine.check_python()
    try:
        settings = config.load(home)
    except ConfigError as error:
        yield broken("settings", f"{error.message} Namesake does not start before it is set right.")
        return
    yield from installation.check_settings(settings)
    yield from machine.check_room(settings)
    yield from machine.check_memory(settings)
    yield from installation.check_folders(settings)
    yield from installation.check_modes(settings)
    yield from records.check_records(settings, deep=deep)
    yield from installation.check_models(settings, deep=deep)
    yield from installation.check_consumer(settings)
