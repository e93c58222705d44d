"""Eight people name two thousand faces at once, over four gunicorn workers: `make load`.

Some of them name the same face, some answer for the same group, some take back what they have said and say it again.
Afterwards every face has been decided once, by the answer that was accepted; nobody saw another error than a conflict;
and store, photos and train.pickle tell one story. People do not wait for each other here, and never think: what is
measured is how a team fares at its worst moment.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from PIL import Image
from sqlalchemy import insert, update

from app.config import PROJECT, load
from app.labelling.workspace import Workspace
from app.recognition import onnx_models
from app.store import queries
from app.store.files import sha256_of
from app.store.schema import faces, people, photos, state
from tests.faults.checks import problems
from tests.labelling.consistency import rows
from tests.server import Server

CLIENTS, WORKERS = 8, 4
_PEOPLE, _NAMED_EACH = 100, 2
_GROUP = 8
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_MAY_BE = (200, 409)


@dataclass(frozen=True)
class Task:
    """Say that these waiting faces are someone. path: of the photo of one face, to confirm it alone. takes_back: undo
    it, and say it again."""

    face_ids: tuple[int, ...]
    label: str
    path: str | None = None
    takes_back: bool = False


@dataclass
class Told:
    """What one person was told: the status and seconds of every request, and what was accepted and what undone."""

    asked: list[tuple[str, int, float]] = field(default_factory=list)
    accepted: list[tuple[tuple[int, ...], str]] = field(default_factory=list)
    undone: list[tuple[tuple[int, ...], str]] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)


@dataclass
class Load:
    """What all of them were told, and what is wrong with what they left behind."""

    seconds: float
    told: list[Told]
    problems: list[str]

    def lines(self) -> list[str]:
        asked = [one for told in self.told for one in told.asked]
        lines = [f"requests: {len(asked)} in {self.seconds:.1f} s, {len(asked) / self.seconds:.0f} a second"]
        for kind in sorted({kind for kind, _status, _seconds in asked}):
            taken = [seconds for name, _status, seconds in asked if name == kind]
            p50, p99 = np.percentile(taken, [50, 99]) * 1000
            lines.append(
                f"{kind}: {len(taken)}, p50 {p50:.0f} ms, p99 {p99:.0f} ms, at most {max(taken) * 1000:.0f} ms"
            )
        statuses = Counter(status for _kind, status, _seconds in asked)
        lines.append(f"answers: {', '.join(f'{count} x {status}' for status, count in sorted(statuses.items()))}")
        return [*lines, *(f"VIOLATION {problem}" for problem in self.problems), f"violations: {len(self.problems)}"]


def run(home: Path, models: Path, faces_waiting: int, seed: int) -> Load:
    """Fill the home, have everyone name everything, and look at what is there."""
    paths = _fill(home, faces_waiting)
    shares = share_out(paths, random.Random(seed))
    server = Server(home, settings={"NAMESAKE_WORKERS": str(WORKERS)}, models=models).start()
    try:
        context = multiprocessing.get_context("spawn")
        with context.Pool(CLIENTS) as pool:
            begun = time.perf_counter()
            told = pool.starmap(work_off, [(server.port, share) for share in shares], chunksize=1)
            seconds = time.perf_counter() - begun
    finally:
        server.stop()
    return Load(seconds, told, judge(home, told, len(paths)))


def share_out(paths: dict[int, str], rng: random.Random) -> list[list[Task]]:
    """Who says what: half of the faces alone and half in groups; one face in ten and one group in four by two people,
    who differ about the name; one group in six is taken back once; and one name in ten is new."""
    shares: list[list[Task]] = [[] for _ in range(CLIENTS)]
    ids = list(paths)
    rng.shuffle(ids)
    half = len(ids) // 2

    def label() -> str:
        return f"Newcomer {rng.randrange(60)}" if rng.random() < 0.1 else _name(rng.randrange(_PEOPLE))

    for face_id in ids[:half]:
        for client in rng.sample(range(CLIENTS), 2 if rng.random() < 0.1 else 1):
            shares[client].append(Task((face_id,), label(), paths[face_id]))
    for first in range(half, len(ids), _GROUP):
        group = tuple(ids[first : first + _GROUP])
        for client in rng.sample(range(CLIENTS), 2 if rng.random() < 0.25 else 1):
            shares[client].append(Task(group, label(), takes_back=rng.random() < 1 / 6))
    for share in shares:
        share.sort(key=lambda task: task.face_ids)  # those who have the same tasks come to them at about one time
    return shares


def work_off(port: int, share: Sequence[Task]) -> Told:
    """One person, over one connection."""
    told = Told()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for task in share:
        decision = _say(connection, task, told)
        if decision is not None and task.takes_back:
            status, _answer = _ask(connection, told, "undo", "/undo/", {"decision_id": decision})
            if status == 200:
                told.undone.append((task.face_ids, task.label))
                _say(connection, task, told)
    connection.close()
    return told


def _say(connection: http.client.HTTPConnection, task: Task, told: Told) -> int | None:
    """The decision, where it was accepted and can be named."""
    if task.path is not None:
        fields: dict[str, Any] = {"image_path": task.path, "label": task.label}
        status, answer = _ask(connection, told, "confirm", "/confirm/", fields)
    else:
        fields = {"label": task.label, "face_id": task.face_ids}
        status, answer = _ask(connection, told, "answer for a group", "/review/", fields)
    if status != 200:
        return None
    told.accepted.append((task.face_ids, task.label))
    found: int | None = answer.get("decision_id")
    return found


def _ask(
    connection: http.client.HTTPConnection, told: Told, kind: str, path: str, fields: dict[str, Any]
) -> tuple[int, Any]:
    begun = time.perf_counter()
    connection.request("POST", path, urlencode(fields, doseq=True), _FORM)
    response = connection.getresponse()
    answer = json.loads(response.read())
    told.asked.append((kind, response.status, time.perf_counter() - begun))
    if response.status not in _MAY_BE:
        told.odd.append(f"{kind} was answered with {response.status}: {answer}")
    return response.status, answer


def judge(home: Path, told: Sequence[Told], waiting: int) -> list[str]:
    """Every face has the name that it was given by the one answer that stands."""
    found = [odd for one in told for odd in one.odd] + problems(home)
    standing: dict[int, list[str]] = defaultdict(list)
    for one in told:
        for face_ids, label in one.accepted:
            for face_id in face_ids:
                standing[face_id].append(label)
    for one in told:
        for face_ids, label in one.undone:
            for face_id in face_ids:
                standing[face_id].remove(label)
    twice = [face_id for face_id, labels in standing.items() if len(labels) != 1]
    found += [f"face {face_id} was decided {len(standing[face_id])} times: {standing[face_id]}" for face_id in twice]
    if len(standing) != waiting:
        found.append(f"{waiting - len(standing)} faces were never decided")
    query = "SELECT faces.id AS id, name FROM faces JOIN people ON people.id = person_id"
    names = {row["id"]: row["name"] for row in rows(home, query)}
    other = [face_id for face_id, labels in standing.items() if labels[-1:] != [names.get(face_id)]]
    return found + [f"face {face_id} is {names.get(face_id)}, and was to be {standing[face_id]}" for face_id in other]


def _name(number: int) -> str:
    return f"Person {number:03}"


def _fill(home: Path, waiting: int) -> dict[int, str]:
    """Made-up people with two named faces each, and as many waiting faces as wanted, each in a small photo of its own:
    the image path by face."""
    workspace = Workspace(load(home))
    rng = np.random.default_rng(0)
    named = _PEOPLE * _NAMED_EACH
    middles = rng.normal(0, 0.05, (_PEOPLE, 128))
    about_photos, about_faces, paths = [], [], {}
    for row in range(named + waiting):
        person = row % _PEOPLE
        is_named = row < named
        folder, number = ("training", row // _PEOPLE + 1) if is_named else ("uploads", row)
        name = f"{_name(person)}_{number:02}.png" if is_named else f"photo {number}.png"
        data = _photo(row)
        (home / "datasets" / folder / name).write_bytes(data)
        about_photos.append(
            {
                "id": row + 1,
                "folder": folder,
                "name": name,
                "upload_name": name,
                "named_for": person + 1 if is_named else None,
                "sha256": sha256_of(data),
                "size": len(data),
                "width": 100,
                "height": 100,
                "encoded": True,
                "created_at": queries.now(),
            }
        )
        encoding = (middles[person] + rng.normal(0, 0.025, 128)).astype("<f4")
        about_faces.append(
            {
                "photo_id": row + 1,
                "top": 10,
                "right": 90,
                "bottom": 90,
                "left": 10,
                "encoding": encoding.tobytes(),
                "low_quality": False,
                "flaws": "",
                "status": "labelled" if is_named else "inbox",
                "person_id": person + 1 if is_named else None,
                "labelled_at_revision": 1 if is_named else None,
                "revision": 1,
            }
        )
        if not is_named:
            paths[row + 1] = f"datasets/{folder}/{name}"
    with workspace.changing() as work:
        known = [{"id": person + 1, "name": _name(person)} for person in range(_PEOPLE)]
        work.connection.execute(insert(people), known)
        work.connection.execute(insert(photos), about_photos)
        work.connection.execute(insert(faces), about_faces)
        work.connection.execute(update(state).values(revision=1))
        work.rewrite = True
    workspace.close()
    return paths


def _photo(number: int) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (100, 100), (number % 256, number // 256 % 256, 90)).save(data, "PNG")
    return data.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--faces", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    models = PROJECT / "instance" / "models"
    onnx_models.load(models)
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        found = run(Path(folder), models, chosen.faces, chosen.seed)
    print(*found.lines(), f"{CLIENTS} people, {WORKERS} workers, {chosen.faces} faces, seed {chosen.seed}", sep="\n")
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
