"""An answer to a group of faces, until the next group is on the screen, with a large inbox and a large gallery."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from PIL import Image
from sqlalchemy import insert, update

from app.config import load
from app.labelling.workspace import Workspace
from app.store import queries
from app.store.schema import faces, people, photos, state
from benchmarks.speed.measuring import Row
from tests.server import Server

_WAITING, _LABELLED, _PEOPLE = 5_000, 20_000, 4_000
_ANSWERS = 12
_AT_MOST_S = 0.300
_HTML = {"Accept": "text/html"}
_FORM = _HTML | {"Content-Type": "application/x-www-form-urlencoded"}


def next_group(work: Path, models: Path) -> Iterator[Row]:
    """Half of the answers name someone known, half someone new; the slowest counts."""
    home = work / "crowd"
    home.mkdir()
    _fill(home)
    server = Server(home, settings={"NAMESAKE_WORKERS": "1"}, models=models).start()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        taken = [_answer(connection, number) for number in range(_ANSWERS)]
    finally:
        server.stop()
    said = f"{statistics.median(taken) * 1000:.0f} ms, at most {max(taken) * 1000:.0f} ms"
    yield Row(
        f"answer to the next group, {_WAITING:,} faces waiting and {_LABELLED:,} named",
        said,
        runs=(_ANSWERS, _ANSWERS),
        holds=max(taken) <= _AT_MOST_S,
    )


def _answer(connection: http.client.HTTPConnection, number: int) -> float:
    """Send the form of the page, follow to the next page; seconds."""
    group = _ask(connection, "GET", "/review/", headers={"Accept": "application/json"})[1]["group"]
    known = group["suggestion"] and group["suggestion"]["label"]
    label = known if known and number % 2 else f"Somebody {number}"
    fields = {"label": label, "face_id": [face["id"] for face in group["faces"]]}
    begun = time.perf_counter()
    status, _ = _ask(connection, "POST", "/review/", urlencode(fields, doseq=True), _FORM)
    assert status == 303, status
    status, page = _ask(connection, "GET", "/review/", headers=_HTML)
    assert status == 200, status
    assert str(page).rstrip().endswith("</html>")
    return time.perf_counter() - begun


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: str = "",
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    return answer.status, json.loads(text) if text.startswith("{") else text


def _fill(home: Path) -> None:
    """Made-up people as far apart as real ones, with five faces each, of which every fifth waits."""
    workspace = Workspace(load(home))
    total = _WAITING + _LABELLED
    rng = np.random.default_rng(0)
    middles = rng.normal(0, 0.05, (_PEOPLE, 128))
    whose = np.arange(total) % _PEOPLE
    encodings = (middles[whose] + rng.normal(0, 0.025, (total, 128))).astype("<f4")
    picture = home / "picture.png"
    Image.new("RGB", (8, 8)).save(picture)
    size = picture.stat().st_size
    rows, found = [], []
    for row in range(total):
        named = row < _LABELLED
        folder = "training" if named else "uploads"
        name = f"p_{row}.png"
        (home / "datasets" / folder / name).hardlink_to(picture)
        person = int(whose[row]) + 1 if named else None
        about = {"folder": folder, "name": name, "named_for": person, "sha256": f"{row:064d}", "upload_name": name}
        rows.append(
            about
            | {"id": row + 1, "size": size, "width": 250, "height": 250, "encoded": True, "created_at": queries.now()}
        )
        box = {"top": 70, "right": 180, "bottom": 180, "left": 70}
        status = {"status": "labelled" if named else "inbox", "labelled_at_revision": 1 if named else None}
        about = {"photo_id": row + 1, "person_id": person, "encoding": encodings[row].tobytes()}
        found.append(box | status | about | {"low_quality": False, "flaws": "", "revision": 1})
    with workspace.changing() as work:
        work.connection.execute(insert(people), [{"id": n + 1, "name": f"Person {n:05}"} for n in range(_PEOPLE)])
        work.connection.execute(insert(photos), rows)
        work.connection.execute(insert(faces), found)
        work.connection.execute(update(state).values(revision=1))
        work.rewrite = True
    workspace.close()
