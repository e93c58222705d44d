"""How many human decisions it takes to name everyone: a script plays the human over HTTP, on photos with known names.

It starts with nothing, uploads every photo and answers /review/ until nothing is left. Only the face in the middle of
each photo has a known name; bystanders, and everyone in the photos of strangers, are ignored. Every answer counts as a
decision, and so does every face it unticks.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from PIL import Image
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import encode_multipart

from app.config import PROJECT
from benchmarks.documents import write_between_markers
from tests.server import Server

Json = dict[str, Any]

MOST_A_PERSON = 1.30
LEAST_RIGHT = 0.995

_AT_A_TIME = 8
_HEADER = "| photos of | people | faces | decisions | a person | at most | right | at least | strangers named |  |"


@dataclass
class Played:
    """What it took. right: the share of the known faces with their own name in the end. named_strangers: faces without
    a known name that were given one."""

    people: int
    faces: int
    most_a_person: float | None = MOST_A_PERSON
    answers: int = 0
    unticked: int = 0
    right: float = 0.0
    named_strangers: int = 0
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def decisions(self) -> int:
        return self.answers + self.unticked

    @property
    def a_person(self) -> float:
        return self.decisions / self.people

    @property
    def holds(self) -> bool:
        few_enough = self.most_a_person is None or self.a_person <= self.most_a_person
        return few_enough and self.right >= LEAST_RIGHT and not self.named_strangers

    def line(self, what: str) -> str:
        """A row of the table."""
        most = "" if self.most_a_person is None else f"{self.most_a_person:.2f}"
        return (
            f"| {what} | {self.people} | {self.faces:,} | {self.decisions:,} | {self.a_person:.2f} "
            f"| {most} | {self.right:.1%} | {LEAST_RIGHT:.1%} | {self.named_strangers} "
            f"| {'ok' if self.holds else 'MISSED'} |"
        )


class Human:
    """Answers as someone who knows everybody by sight: names maps photos, by id, to who is in the middle of them."""

    def __init__(self, port: int, people: Sequence[Path], strangers: Sequence[Path]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self._sizes: dict[int, tuple[int, int]] = {}
        self._names: dict[int, str | None] = {}
        self._known: dict[int, str] = {}
        self._upload([(path, path.parent.name) for path in people] + [(path, None) for path in strangers])
        for photo_id, name in self._names.items():
            faces = self._get(f"/photos/{photo_id}/")["faces"]
            if name is not None and faces:
                self._known[_middle(faces, *self._sizes[photo_id])] = name

    def close(self) -> None:
        self._connection.close()

    def play(self, watch: bool = False) -> Played:
        """Answer until nothing is left."""
        played = Played(len(set(self._known.values())), len(self._known))
        group = self._get("/review/")["group"]
        while group is not None:
            answer, unticked = self.answer(group)
            played.kinds[group["kind"]] += 1
            played.answers += 1
            played.unticked += unticked
            group = self._ask("POST", "/review/", urlencode(answer, doseq=True), _FORM)["next"]["group"]
            if watch:
                print(f"\r{played.decisions} decisions", end="", file=sys.stderr, flush=True)
        faces = [face for photo_id in self._names for face in self._get(f"/photos/{photo_id}/")["faces"]]
        labels = {face["id"]: face["label"] for face in faces}
        played.right = sum(labels[face] == name for face, name in self._known.items()) / len(self._known)
        played.named_strangers = sum(labels[face] is not None for face in labels.keys() - self._known.keys())
        return played

    def answer(self, group: Json) -> tuple[Json, int]:
        """The form for a group, and how many faces are unticked in it: the suggested name if anybody has it, else
        what most of them are."""
        names = {face["id"]: self._known.get(face["id"]) for face in group["faces"]}
        suggested = group["suggestion"]["label"] if group["suggestion"] else None
        most = max(Counter(names.values()).items(), key=lambda item: (item[1], item[0] is not None))[0]
        chosen = suggested if suggested is not None and suggested in names.values() else most
        kept = [face for face, name in names.items() if name == chosen]
        others = [face for face, name in names.items() if name != chosen]
        said = {"action": "ignore"} if chosen is None else {"action": "confirm", "label": chosen}
        return said | {"face_id": kept, "reject_id": others}, len(others)

    def _upload(self, photos: Iterable[tuple[Path, str | None]]) -> None:
        waiting = iter(photos)
        jobs = []
        while some := list(islice(waiting, _AT_A_TIME)):
            files = [FileStorage(io.BytesIO(path.read_bytes()), path.name) for path, _name in some]
            boundary, body = encode_multipart(MultiDict([("file", file) for file in files]))
            sent = self._ask("POST", "/upload/", body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
            ids = sent["photo_ids"] if "photo_ids" in sent else [photo["photo_id"] for photo in _photos(sent)]
            for photo_id, (path, name) in zip(ids, some, strict=True):
                self._names[photo_id] = name
                with Image.open(path) as image:
                    self._sizes[photo_id] = image.size
            jobs += [sent["job_url"]] if "job_url" in sent else []
        for job in jobs:
            while self._get(job)["state"] in ("queued", "running"):
                time.sleep(0.2)

    def _get(self, path: str) -> Json:
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, body: str | bytes = b"", headers: dict[str, str] | None = None) -> Json:
        self._connection.request(method, path, body, {"Accept": "application/json"} | (headers or {}))
        answer = self._connection.getresponse()
        found: Json = json.loads(answer.read())
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {found}")
        return found


_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def _photos(sent: Json) -> list[Json]:
    found: list[Json] = sent.get("photos", [sent])
    return found


def _middle(faces: Sequence[Json], width: int, height: int) -> int:
    """The face nearest to the middle of the photo."""

    def off(face: Json) -> float:
        top, right, bottom, left = face["box"]
        return float((top + bottom - height) ** 2 + (left + right - width) ** 2)

    return int(min(faces, key=off)["id"])


def play(people: Sequence[Path], strangers: Sequence[Path], home: Path, models: Path) -> Played:
    """A fresh installation, all photos, all answers."""
    home.mkdir()
    server = Server(home, models=models).start()
    try:
        with closing(Human(server.port, people, strangers)) as human:
            return human.play(watch=sys.stderr.isatty())
    finally:
        server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with people/<name>/*.jpg and strangers/*.jpg")
    parser.add_argument("--output", type=Path, help="a document with markers, between which the table goes")
    options = parser.parse_args()
    people = sorted(options.folder.glob("people/*/*.jpg"))
    strangers = sorted(options.folder.glob("strangers/*.jpg"))
    if not people:
        parser.error(f"there are no people/<name>/*.jpg in {options.folder}")
    lines = [_HEADER, "|---" * 10 + "|"]
    good = True
    for what, others in (("people", []), ("people and strangers", strangers)):
        with tempfile.TemporaryDirectory() as work:
            played = play(people, others, Path(work) / "home", PROJECT / "instance" / "models")
        if others:
            played.most_a_person = None
        print(played.line(what), dict(played.kinds), f"{played.unticked} unticked", flush=True)
        lines.append(played.line(what))
        good = good and played.holds
    if options.output:
        write_between_markers(options.output, "\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
