"""Commands that bring photos and labels in, and take them out again."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.saying import going_on_later, run_now, told, writing
from app.http import workspace
from app.labelling import adopting, bringing, exporting, importing, sidecar_files
from app.labelling.wording import many


@click.command("import-photos")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Or leave the work to the server.")
def import_photos(folder: Path, wait: bool) -> None:
    """Copy every photo in a folder, and in the folders in it, to uploads and find its faces.

    DIR itself is not touched. Broken off, it goes on by itself where a server runs, else when this is run again.
    """
    with told():
        job_id = importing.request_import(workspace(), folder)
        if not wait:
            click.echo(f"The import is job {job_id}: the server does it and shows it at /jobs/{job_id}/.")
            return
        with going_on_later():
            click.echo(run_now(job_id, "Importing"))


@click.command("import-pickle")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_pickle(file: Path) -> None:
    """Add the labelled faces of a pickle to the training data."""
    with told():
        added = adopting.import_pickle(workspace(), file)
    click.echo(f"{added} faces imported.")


@click.command("export-pickle")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export_pickle(file: Path) -> None:
    """Write the training data to a file in the form of train.pickle."""
    with told(), writing(file):
        written = adopting.export_pickle(workspace(), file)
    click.echo(f"{written} faces written to {file}.")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--strip", is_flag=True, help="Draw the photos anew, without places and cameras.")
def export(file: Path, strip: bool) -> None:
    """Write the whole training set into a zip: photos, sidecars, train.pickle, labels.csv and a manifest."""
    with told(), writing(file):
        written, missing = exporting.write_archive(workspace(), file, strip=strip)
    for path in missing:
        click.echo(f"without its photo: {path}")
    photos, faces = len(written.photos) - len(missing), len(written.entries)
    click.echo(f"{many(photos, 'photo')} and {many(faces, 'labelled face')} written to {file}.")


@click.command("import-training")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_training(file: Path) -> None:
    """Bring back what export has written, or a labels.csv: all of it or nothing."""
    with told(), file.open("rb") as opened:
        taken = bringing.bring_back(workspace(), opened)
    for conflict in taken.conflicts:
        click.echo(f"left as it was: {conflict['image_path']} {conflict['label']}: {conflict['message']}")
    click.echo(taken.in_words())


@click.command("write-sidecars")
def write_sidecars() -> None:
    """Write an XMP sidecar beside every photo in training, and remove those whose photo has moved."""
    with told():
        result = sidecar_files.write_sidecars(workspace())
    for name, why in result.left:
        click.echo(f"left alone: {name}: {why}")
    written = many(result.written, "sidecar")
    click.echo(f"{written} written, {result.unchanged:,} right as they were, {result.removed:,} removed.")
