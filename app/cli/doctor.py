"""The command that looks at an installation from outside."""

from __future__ import annotations

import dataclasses
import json
import sys

import click
from flask import Flask

from app.operations.doctor import examine


@click.command()
@click.option("--deep", is_flag=True, help="Read every photo, and compare the models with dlib.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(deep: bool, as_json: bool) -> None:
    """Check an installation and say what to mend. Nothing is changed; exits with 1 when something is broken."""
    findings = []
    for finding in examine(deep=deep):
        findings.append(finding)
        if not as_json:
            click.echo(f"{finding.state:<7} {finding.check}: {finding.words}")
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=1, ensure_ascii=False))
    sys.exit(any(finding.state == "broken" for finding in findings))


def is_called() -> bool:
    """Whether this process is `flask doctor`."""
    return "doctor" in sys.argv[1:]


def bare_app() -> Flask:
    """An application with this command alone: starting the whole would mend some things, and stumble over others."""
    app = Flask("app")
    app.cli.add_command(doctor)
    return app
