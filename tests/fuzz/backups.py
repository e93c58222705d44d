"""Backups that somebody brings in, all of them broken: in the zip, in what they say of themselves, in the rows."""

from __future__ import annotations

import hashlib
import io
import json
import random
import sqlite3
import time
import zipfile
from contextlib import closing
from pathlib import Path

from app.errors import NamesakeError
from app.labelling import archives, backups, receiving, restoring
from app.labelling.workspace import Workspace
from tests.fuzz.archives import WORDS, broken_archive, broken_text, named
from tests.fuzz.mutations import EDGES, mutate
from tests.fuzz.tally import INSIDE, Tally
from tests.fuzz.targets import InProcess

_PAGES = ("/people/", "/people/1/", "/photos/1/", "/review/", "/insights/", "/decisions/", "/admin/")


def fuzz_backups(tally: Tally, count: int, seed: int, home: Path, models: Path) -> None:
    """`count` of them go to what POST /backups/upload keeps them with. What is kept is restored, and looked at."""
    target = InProcess(home / "backups", models)
    workspace: Workspace = target._app.extensions["namesake"]
    named(workspace)
    file = home / "good.zip"
    backups.write_backup(workspace, file, _silent)
    good = file.read_bytes()
    for number in range(count):
        name = f"{seed}-backup-{number}"
        _bring_in(tally, target, name, broken_backup(good, random.Random(name)))
    target.measure(tally)
    target.close()


def _bring_in(tally: Tally, target: InProcess, name: str, data: bytes) -> None:
    workspace: Workspace = target._app.extensions["namesake"]
    began, outcome = time.monotonic(), "taken"
    try:
        with receiving.arriving(workspace) as coming:
            coming.write(data)
            kept = receiving.keep(workspace, coming)
        restoring.restore(workspace, kept.path, _silent)
        for url in _PAGES:
            if target._client.get(url).status_code >= 500:
                tally.violated(f"restored, it breaks {url}", name, data)
    except NamesakeError as refusal:
        outcome = str(refusal.status)
        if INSIDE.search(refusal.message) or not 400 <= refusal.status < 500:
            tally.violated(f"{refusal.status} {refusal.message!r}", name, data)
    except Exception as error:  # noqa: BLE001 - which is what is looked for
        tally.violated(f"raised {error!r}", name, data)
    tally.add("backup", outcome, time.monotonic() - began, name)
    for each in archives.kept(workspace):
        archives.remove(workspace, each.name)
    left = [path for root in ("archives", "staging") for path in workspace.folders.roots[root].glob("*")]
    if left:
        tally.violated(f"left {left}", name, data)


def broken_backup(data: bytes, choose: random.Random) -> bytes:
    """Broken as any archive; or one that agrees with its own hashes, and is broken behind them."""
    if choose.random() < 0.3:
        return broken_archive(data, choose)
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        content = {name: found.read(name) for name in found.namelist()}
    manifest = json.loads(content["manifest.json"])
    match choose.randrange(5):
        case 0:
            content["store.sqlite"] = mutate(content["store.sqlite"], content["store.sqlite"], choose)
        case 1 | 2:
            content["store.sqlite"] = _other_rows(content["store.sqlite"], choose)
        case 3:
            content["train.pickle"] = mutate(content["train.pickle"], content["train.pickle"], choose)
        case _:
            field = choose.choice(list(manifest))
            manifest[field] = choose.choice((None, True, -1, 1.5, 10**30, [], {}, *EDGES, *WORDS))
    if isinstance(manifest.get("sha256"), dict):
        manifest["sha256"] |= {
            name: hashlib.sha256(content[name]).hexdigest() for name in manifest["sha256"].keys() & content.keys()
        }
    content["manifest.json"] = json.dumps(manifest).encode("utf-8", "surrogatepass")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for name, each in content.items():
            made.writestr(zipfile.ZipInfo(name), each)
    return packed.getvalue()


def _other_rows(store: bytes, choose: random.Random) -> bytes:
    """A store that SQLite finds nothing wrong with, and a value in it that no program of ours has written."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as found:
        found.deserialize(store)
        found.execute("PRAGMA ignore_check_constraints=ON")
        tables = found.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        (table,) = choose.choice(tables)
        columns = [row[1] for row in found.execute(f'PRAGMA table_info("{table}")')]
        strange = choose.choice((None, -1, 1.5, 2**62, b"", b"\xff" * 512, "{}", "[]", *WORDS[:-3], *EDGES))
        try:
            found.execute(f'UPDATE "{table}" SET "{choose.choice(columns)}" = ?', [strange])
        except (sqlite3.Error, UnicodeEncodeError):
            return broken_text(store, choose)
        return bytes(found.serialize())


def _silent(_done: int, _total: int, _message: str) -> None:
    return None
