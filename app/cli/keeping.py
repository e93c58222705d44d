"""Commands that keep an installation going: reset, reconcile, the demo and the consumer of jobs."""

from __future__ import annotations

import click

from app.cli.saying import run_now, told
from app.errors import NamesakeError
from app.http import queue, workspace
from app.labelling import reconciling, resetting
from app.labelling.reading import read_counts
from app.sample import lay_out_sample


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Make the training data what the reserve folder says."""
    with told():
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
    return run_now(resetting.request_reset(workspace()), "Encoding")


@click.command()
def reconcile() -> None:
    """Make store, folders and train.pickle agree, and say what was mended."""
    with told():
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
    with told():
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
