"""Commands that keep everything safe, and bring it back."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.saying import bar, told, writing
from app.errors import NamesakeError
from app.http import queue, workspace
from app.labelling import backups, erasing, restoring
from app.labelling.wording import many


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


@click.command()
@click.option("--person", metavar="NAME", help="Their name, their faces and every encoding of them.")
@click.option("--photo", metavar="IMAGE_PATH", help="As the JSON interface calls it.")
@click.option("--with-photos", is_flag=True, help="Of a person: photos with nobody else in them, too.")
@click.option("--with-backups", is_flag=True, help="Backups in the archives that hold it, too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(person: str | None, photo: str | None, with_photos: bool, with_backups: bool, yes: bool) -> None:
    """Delete a person or a photo for good. It cannot be undone."""
    with told():
        if (person is None) == (photo is None):
            raise NamesakeError("Say what: --person NAME or --photo IMAGE_PATH.")
        if not yes:
            click.confirm(f"Delete {person or photo} for good? This cannot be undone.", abort=True)
        if person is not None:
            number = erasing.find_person(workspace(), person)
            erased = erasing.erase_person(workspace(), number, person, with_photos=with_photos, backups=with_backups)
        else:
            number = erasing.find_photo(workspace(), photo)
            erased = erasing.erase_photo(workspace(), number, "DELETE", backups=with_backups)
    for sentence in (erasing.in_words(erased), *erasing.still_held(erased)):
        click.echo(sentence)
