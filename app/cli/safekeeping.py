"""Commands that keep everything safe, and bring it back."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.saying import bar, many, told, writing
from app.http import queue, workspace
from app.labelling import backups, restoring


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def backup(file: Path, force: bool) -> None:
    """Write everything into one file: photos, names, decisions. The server may go on running.

    Passwords, sessions, tokens and jobs are not in it, nor the reserve.
    """
    with told(), writing(file), bar("Packing") as watch:
        made = backups.write_backup(workspace(), file, watch, force=force)
    if made.missing:
        click.echo(f"{many(made.missing, 'photo')} could not be taken in: missing, or not as they were.")
    click.echo(f"{many(made.photos, 'photo')} and {many(made.faces, 'face')} written to {file}.")


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
def restore(file: Path, yes: bool) -> None:
    """Check a backup, and put it in the place of everything that is here.

    The server must not be running. What is here is kept as an automatic backup.
    """
    with told(), queue().alone():
        if not yes:
            click.confirm("Everything here becomes what it is in the backup. Restore now?", abort=True)
        with bar("Checking") as watch:
            result = restoring.restore(workspace(), file, watch)
    click.echo(restoring.in_words(result))
