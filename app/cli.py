"""`flask --app wsgi COMMAND`: the same use cases without a browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask import Flask

from app.errors import NamesakeError
from app.http import queue, workspace
from app.labelling import (
    adopting,
    bringing,
    encoding,
    evaluating,
    exporting,
    importing,
    progress,
    reconciling,
    resetting,
    sidecar_files,
)
from app.labelling.reading import read_counts
from app.sample import lay_out_sample
from app.store.artifact import Artifact
from app.store.partial import Partial


def init_app(app: Flask) -> None:
    for command in (encode, evaluate, import_photos, import_pickle, export_pickle, reset, reconcile, demo, consume):
        app.cli.add_command(command)
    for command in (export, import_training, write_sidecars):
        app.cli.add_command(command)


@contextmanager
def _told() -> Iterator[None]:
    """Errors in the words of the product, without a stack trace."""
    try:
        yield
    except NamesakeError as error:
        raise click.ClickException(error.message) from error


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    if not file.parent.is_dir():
        raise NamesakeError(f"There is no folder {file.parent} to write to.")
    try:
        yield
    except OSError as error:
        raise NamesakeError(f"{file} cannot be written: {error.strerror}.") from error


@click.command()
@click.option("-d", "--dir", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("-m", "--method", type=click.Choice(["cnn", "hog"]), help="Else the setting DETECTION_METHOD.")
@click.option("--label-from", type=click.Choice(["person", "stem"]), default="person", show_default=True)
def encode(folder: Path, output: Path, method: str | None, label_from: str) -> None:
    """Encode a labelled folder of photos into a pickle.

    The label of a photo is the folder it is in, else its name without the number at its end; with --label-from
    stem its whole name. What is served is not touched.
    """
    settings = workspace().settings
    method = method or settings.detection_method
    engine = workspace().load_engine(method)
    with _told(), _writing(output), _going_on_later():
        basis = encoding.basis(settings, engine, method)
        partial = Partial(output.with_name(f"{output.name}.partial"), basis)
        if len(partial):
            click.echo(f"resumed: {_photos(len(partial))} encoded before")
        with _progress() as watch:
            encoded = encoding.encode_folder(
                folder, engine, workspace().decode, partial, label_from=label_from, watch=watch
            )
        if encoded.entries:
            Artifact(output).rewrite(encoded.entries)
        partial.remove()
    faces, people = len(encoded.entries), len({entry.name for entry in encoded.entries})
    for name, why in encoded.skipped:
        click.echo(f"skipped {name}: {why}")
    for name in encoded.crowded:
        click.echo(f"note    {name}: more than one face, the most prominent was taken")
    if not encoded.entries:
        raise click.ClickException("No photo had a usable face: nothing was written.")
    click.echo(f"{faces} faces of {people} people written to {output}, {len(encoded.skipped)} files skipped.")


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("evaluation.json"),
    show_default=True,
    help="Where the figures go, as JSON.",
)
@click.option("-m", "--method", type=click.Choice(["cnn", "hog"]), help="Else the setting DETECTION_METHOD.")
def evaluate(folder: Path, output: Path, method: str | None) -> None:
    """Measure how well the people in a folder of photos are told apart.

    DIR is labelled as for encode, or holds such a folder called people and one called strangers. Compares Namesake as
    it is set up with the original system, k-NN and a linear SVM. What is served is not touched. Encodings are kept
    in instance/evaluation.encodings: a second run looks at new photos only.
    """
    settings = workspace().settings
    method = method or settings.detection_method
    engine = workspace().load_engine(method)
    kept = settings.instance / "evaluation.encodings"
    with _told(), _writing(output), _going_on_later():
        with _writing(kept), _progress() as watch:
            partial = Partial(kept, encoding.basis(settings, engine, method))
            gathered = evaluating.gather(folder, engine, workspace().decode, partial, watch)
        if gathered.encoded.known:
            click.echo(f"resumed: {_photos(gathered.encoded.known)} encoded before")
        for name, why in gathered.encoded.skipped:
            click.echo(f"skipped {name}: {why}")
        with _progress("Asking", "answers") as watch:
            rows = evaluating.evaluate(gathered.faces, evaluating.systems(settings), watch)
        report = evaluating.as_json(rows, folder=str(folder), method=method, engine=engine.name)
        output.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    click.echo(f"\n{evaluating.as_markdown(rows)}\n\nWritten to {output}.")


def _many(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def _photos(number: int) -> str:
    return "1 photo was" if number == 1 else f"{number:,} photos were"


@contextmanager
def _going_on_later() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise NamesakeError("Interrupted. What is encoded is kept: the same command goes on from there.") from None


@contextmanager
def _progress(label: str = "Encoding", unit: str = "photos") -> Iterator[Callable[..., None]]:
    """A bar with how many, the time left and the rate: to be told done and total."""

    def rate(_item: None) -> str:
        return f"{1 / bar.time_per_iteration:.1f} {unit} a second" if bar.time_per_iteration else ""

    def watch(done: int, total: int, _message: str = "") -> None:
        bar.length = total
        bar.update(done - bar.pos)
        bar.render_progress()

    bar = click.progressbar(length=1, label=label, show_pos=True, item_show_func=rate)
    with bar:
        yield watch


@click.command("import-photos")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Or leave the work to the server.")
def import_photos(folder: Path, wait: bool) -> None:
    """Copy every photo in a folder, and in the folders in it, to uploads and find its faces.

    DIR itself is not touched. Broken off, it goes on by itself where a server runs, else when this is run again.
    """
    with _told():
        job_id = importing.request_import(workspace(), folder)
        if not wait:
            click.echo(f"The import is job {job_id}: the server does it and shows it at /jobs/{job_id}/.")
            return
        with _going_on_later():
            click.echo(_run_now(job_id, "Importing"))


@click.command("import-pickle")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_pickle(file: Path) -> None:
    """Add the labelled faces of a pickle to the training data."""
    with _told():
        added = adopting.import_pickle(workspace(), file)
    click.echo(f"{added} faces imported.")


@click.command("export-pickle")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export_pickle(file: Path) -> None:
    """Write the training data to a file in the form of train.pickle."""
    with _told(), _writing(file):
        written = adopting.export_pickle(workspace(), file)
    click.echo(f"{written} faces written to {file}.")


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Make the training data what the reserve folder says."""
    with _told():
        plan = resetting.describe_reset(workspace())
        if plan["why_not"]:
            raise NamesakeError(plan["why_not"])
        for sentence in plan["sentences"]:
            click.echo(sentence)
        if not yes:
            click.confirm("Reset now?", abort=True)
        click.echo(_reset_now())


def _reset_now() -> str:
    """Run a reset in this process, with a progress bar; what it says at the end."""
    return _run_now(resetting.request_reset(workspace()), "Encoding")


def _run_now(job_id: int, label: str) -> str:
    with _progress(label) as watch:
        queue().run(job_id, watch)
    job = progress.read_job(workspace(), job_id)
    if job["state"] != "done":
        raise NamesakeError(job["message"])
    for name, why in job["result"]["skipped"]:
        click.echo(f"skipped {name}: {why}")
    return str(job["message"])


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(file: Path) -> None:
    """Write the whole training set into a zip: photos, sidecars, train.pickle, labels.csv and a manifest."""
    with _told(), _writing(file):
        written, missing = exporting.write_archive(workspace(), file)
    for path in missing:
        click.echo(f"without its photo: {path}")
    photos, faces = len(written.photos) - len(missing), len(written.entries)
    click.echo(f"{_many(photos, 'photo')} and {_many(faces, 'labelled face')} written to {file}.")


@click.command("import-training")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_training(file: Path) -> None:
    """Bring back what export has written, or a labels.csv: all of it or nothing."""
    with _told(), file.open("rb") as opened:
        taken = bringing.bring_back(workspace(), opened)
    for told in taken.conflicts:
        click.echo(f"left as it was: {told['image_path']} {told['label']}: {told['message']}")
    click.echo(taken.in_words())


@click.command("write-sidecars")
def write_sidecars() -> None:
    """Write an XMP sidecar beside every photo in training, and remove those whose photo has moved."""
    with _told():
        result = sidecar_files.write_sidecars(workspace())
    for name, why in result.left:
        click.echo(f"left alone: {name}: {why}")
    written = _many(result.written, "sidecar")
    click.echo(f"{written} written, {result.unchanged:,} right as they were, {result.removed:,} removed.")


@click.command()
def reconcile() -> None:
    """Make store, folders and train.pickle agree, and say what was mended."""
    with _told():
        repairs = reconciling.reconcile(workspace())
    if repairs.interrupted:
        click.echo("A change that was cut off has been put back, or train.pickle has been rewritten.")
    click.echo(f"{repairs.moved} photos put back where they belong.")
    for path in repairs.lost:
        click.echo(f"missing or changed: {path}")
    click.echo(f"{len(repairs.lost)} photos are not as they were." if repairs.lost else "Everything agrees.")


@click.command()
def demo() -> None:
    """Fill an empty installation with public sample photos, to try things out."""
    with _told():
        if read_counts(workspace())["photos"]:
            click.echo("There are photos here already: the sample was left out.")
            return
        to_try = lay_out_sample(workspace().settings)
        click.echo(_reset_now())
    click.echo(f"Photos to try next, by uploading them: {to_try}")


@click.command()
@click.option("--parent", type=int, help="Stop when the process of this number is no longer the parent.")
@click.option("--lock", type=int, help="The descriptor of the consumer's lock, when the parent holds it already.")
def consume(parent: int | None, lock: int | None) -> None:
    """Work off background jobs. gunicorn and the reset page start this by themselves."""
    queue().consume(parent, lock)
