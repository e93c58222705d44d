"""Commands for who may come in."""

from __future__ import annotations

import sys

import click

from app.access.policy import Scope
from app.cli.saying import told
from app.labelling.labels import clean_label
from app.security.gate import door


@click.command("set-password")
@click.option("--admin", is_flag=True, help="The password that opens everything, beside one that opens labelling.")
@click.option("--remove", is_flag=True, help="Forget it instead.")
def set_password(admin: bool, remove: bool) -> None:
    """Set the password that people log in with. It ends every session.

    Asks for it, or reads it from standard input where nobody can be asked.
    """
    scope = Scope.ADMIN if admin else Scope.LABEL
    with told():
        if remove:
            door().passwords.remove(scope)
        else:
            door().passwords.set(scope, _ask())
    click.echo("The password is removed." if remove else "The password is set. It counts from now on.")


def _ask() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt="Once more"))
    return sys.stdin.readline().rstrip("\r\n")


@click.group()
def token() -> None:
    """Tokens for scripts: what they show instead of a password."""


@token.command("create")
@click.argument("name")
@click.option("--scope", type=click.Choice(["read", "label", "admin"]), required=True, help="What it may do.")
def create_token(name: str, scope: str) -> None:
    """Make a token, and print it this once."""
    with told():
        made = door().tokens.create(clean_label(name), scope)
    click.echo("Send it as Authorization: Bearer TOKEN. It is not shown again:", err=True)
    click.echo(made["token"])


@token.command("list")
def list_tokens() -> None:
    """Every token: its name, scope, and when it was made and last used."""
    with told():
        tokens = door().describe()["tokens"]
    for each in tokens:
        used = f"last used {each['used']:%Y-%m-%d}" if each["used"] else "never used"
        click.echo(f"{each['name']}: {each['scope']}, made {each['created']:%Y-%m-%d}, {used}")
    if not tokens:
        click.echo("There are no tokens.")


@token.command("revoke")
@click.argument("name")
def revoke_token(name: str) -> None:
    """Take a token back: from now on it opens nothing."""
    with told():
        door().tokens.revoke_named(name)
    click.echo("The token is revoked.")
