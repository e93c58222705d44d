"""What the commands have in common: errors in words, a bar while photos are looked at, jobs done on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from app.errors import NamesakeError
from app.http import queue, workspace
from app.labelling import progress


@contextmanager
def told() -> Iterator[None]:
    """Errors in the words of the product, without a stack trace."""
    try:
        yield
    except NamesakeError as error:
        raise click.ClickException(error.message) from error


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Say it in words when `file` cannot be written. Raises NamesakeError."""
    if not file.parent.is_dir():
        raise NamesakeError(f"There is no folder {file.parent} to write to.")
    try:
        yield
    except OSError as error:
        raise NamesakeError(f"{file} cannot be written: {error.strerror}.") from error


@contextmanager
def going_on_later() -> Iterator[None]:
    """Say what becomes of the work when someone breaks it off. Raises NamesakeError."""
    try:
        yield
    except KeyboardInterrupt:
        raise NamesakeError("Interrupted. What is encoded is kept: the same command goes on from there.") from None


@contextmanager
def bar(label: str = "Encoding", unit: str = "photos") -> Iterator[Callable[..., None]]:
    """A bar with how many, the time left and the rate: to be told done and total."""

    def rate(_item: None) -> str:
        return f"{1 / shown.time_per_iteration:.1f} {unit} a second" if shown.time_per_iteration else ""

    def watch(done: int, total: int, _message: str = "") -> None:
        shown.length = total
        shown.update(done - shown.pos)
        shown.render_progress()

    shown = click.progressbar(length=1, label=label, show_pos=True, item_show_func=rate)
    with shown:
        yield watch


def photos_were(number: int) -> str:
    return "1 photo was" if number == 1 else f"{number:,} photos were"


def run_now(job_id: int, label: str) -> str:
    """Do a job in this process, with a bar; what it says at the end. Raises NamesakeError."""
    with bar(label) as watch:
        queue().run(job_id, watch)
    job = progress.read_job(workspace(), job_id)
    if job["state"] != "done":
        raise NamesakeError(job["message"])
    for name, why in job["result"]["skipped"]:
        click.echo(f"skipped {name}: {why}")
    return str(job["message"])
