"""Commands over folders of labelled photos of one's own: encode and evaluate. What is served is not touched."""

from __future__ import annotations

import json
from pathlib import Path

import click

from app.cli.saying import bar, going_on_later, photos_were, told, writing
from app.http import workspace
from app.labelling import encoding, evaluating
from app.store.artifact import Artifact
from app.store.partial import Partial


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
    with told(), writing(output), going_on_later():
        basis = encoding.basis(settings, engine, method)
        partial = Partial(output.with_name(f"{output.name}.partial"), basis)
        if len(partial):
            click.echo(f"resumed: {photos_were(len(partial))} encoded before")
        with bar() as watch:
            encoded = encoding.encode_folder(
                folder, engine, workspace().decode_here, partial, label_from=label_from, watch=watch
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
    with told(), writing(output), going_on_later():
        with writing(kept), bar() as watch:
            partial = Partial(kept, encoding.basis(settings, engine, method))
            gathered = evaluating.gather(folder, engine, workspace().decode_here, partial, watch)
        if gathered.encoded.known:
            click.echo(f"resumed: {photos_were(gathered.encoded.known)} encoded before")
        for name, why in gathered.encoded.skipped:
            click.echo(f"skipped {name}: {why}")
        with bar("Asking", "answers") as watch:
            rows = evaluating.evaluate(gathered.faces, evaluating.systems(settings), watch)
        report = evaluating.as_json(rows, folder=str(folder), method=method, engine=engine.name)
        output.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    click.echo(f"\n{evaluating.as_markdown(rows)}\n\nWritten to {output}.")
