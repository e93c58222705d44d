"""`flask --app wsgi COMMAND`: the same use cases without a browser."""

from __future__ import annotations

from flask import Flask

from app.cli import access, doctor, keeping, measuring, safekeeping, travelling

_COMMANDS = (
    measuring.encode,
    measuring.evaluate,
    travelling.import_photos,
    travelling.import_pickle,
    travelling.export_pickle,
    travelling.export,
    travelling.import_training,
    travelling.write_sidecars,
    safekeeping.backup,
    safekeeping.restore,
    safekeeping.erase,
    keeping.reset,
    keeping.reconcile,
    keeping.demo,
    keeping.consume,
    access.set_password,
    access.token,
    doctor.doctor,
)


def init_app(app: Flask) -> None:
    for command in _COMMANDS:
        app.cli.add_command(command)
