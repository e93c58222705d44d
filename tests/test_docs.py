"""Whatever someone can set, call or run is written down for them."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from app.config import PROJECT, table

DOCS = "\n".join(path.read_text("utf-8") for path in (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))))


@pytest.mark.parametrize("name", sorted(table()))
def test_every_setting_is_named_with_its_default(name: str) -> None:
    default = table()[name].default
    shown = f"{default:g}" if isinstance(default, float) else str(default) or "none"
    assert re.search(rf"^\| `{name}` \| `{re.escape(shown)}` \|", DOCS, re.MULTILINE)


def test_no_setting_is_named_that_there_is_not() -> None:
    named = set(re.findall(r"^\| `([A-Z][A-Z_]+)` \|", DOCS, re.MULTILINE))
    assert named == set(table())


def test_every_command_is_named(app: Flask) -> None:
    own = [name for name, command in app.cli.commands.items() if command.callback.__module__.startswith("app.cli.")]
    assert own
    missing = [name for name in own if not re.search(rf"`{name}[` ]", DOCS)]
    assert missing == []


def test_every_option_of_a_command_is_named_where_it_matters(app: Flask) -> None:
    for option in ("-d DIR", "-o FILE", "-m cnn", "--label-from stem"):
        assert option in DOCS


def test_every_route_is_named(app: Flask) -> None:
    rules = {
        re.sub(r"<[^>]*>", "ID", str(rule)).rstrip("/") or "/"
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
    }
    missing = [rule for rule in sorted(rules) if not re.search(rf"{re.escape(rule)}/?[`\s,;)]", DOCS)]
    assert missing == []


PROMISES = (PROJECT / "SECURITY.md").read_text("utf-8")


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[^`]+)`", PROMISES))))
def test_what_holds_a_promise_is_there(named: str) -> None:
    path, *names = named.split("::")
    source = (PROJECT / path).read_text("utf-8")
    kinds = ["class " if name[0].isupper() else "def " for name in names]
    assert "def test_" in source
    assert [name for kind, name in zip(kinds, names, strict=True) if f"{kind}{name}" not in source] == []


def test_every_promise_has_something_that_holds_it() -> None:
    rows = re.findall(r"^\| (?!promise|-)(.+) \| (.+) \|$", PROMISES, re.MULTILINE)
    assert len(rows) > 20
    assert [promise for promise, held_by in rows if "`tests/" not in held_by] == []


def test_every_target_of_make_that_is_named_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", DOCS + PROMISES)) <= targets
