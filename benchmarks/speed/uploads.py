"""A photo sent to a real server, until the page that shows its faces is there; and how a worker starts."""

from __future__ import annotations

import http.client
import io
import itertools
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from benchmarks.speed import alone, theirs
from benchmarks.speed.measuring import Row, Timed, by_turns, faces, megabytes, span, tell
from benchmarks.speed.photos import Photos, below, enlarged
from tests.server import Server, share_models

_PAGE = {"Accept": "text/html"}
_JSON = {"Accept": "application/json"}
_numbers = itertools.count()


def upload(photos: Photos, models: Path, work: Path) -> Iterator[Row]:
    """12 megapixels against face_recognition; 48 against 4."""
    with _serving(work / "server", models) as server:
        _send(server, photos.portrait.read_bytes())
        theirs.look(photos.portrait)
        for what, path in (("one face", photos.single), ("a group", photos.group)):
            tell(f"  {what}")
            yield _against_theirs(server, what, path, work)
        runs = 3
        sizes = {size: enlarged(photos.group, size) for size in (48, 4)}
        large, small = by_turns(runs, lambda: _send(server, sizes[48]), lambda: _send(server, sizes[4]))
        said = f"{span(large.seconds)} against {span(small.seconds)}, {large.seconds / small.seconds:.1f} x as long"
        yield Row("upload of 48 megapixels against 4", said, runs=(runs, runs))


def memory_of_an_upload(photos: Photos, models: Path, work: Path) -> Iterator[Row]:
    """Of a worker that has just started; beside a process of face_recognition that does the same."""
    for size, kind in ((48, "JPEG"), (12, "PNG")):
        tell(f"  {size} megapixels")
        file = work / f"{size}.{kind.lower()}"
        file.write_bytes(enlarged(photos.group, size, kind))
        with _serving(work / f"memory-{size}", models) as server, _watching(_worker(server)) as mine:
            _send(server, file.read_bytes())
        other = alone.run(alone.their_peak, file)
        what = f"peak memory of one upload, {size}-megapixel {kind}"
        yield Row(what, megabytes(max(mine)), megabytes(other), other / max(mine))


def start(photos: Photos, models: Path, work: Path) -> Iterator[Row]:
    """One small photo for a worker that takes the place of another, and for a process from its start to its end."""
    photo = work / "first.jpg"
    data = below(photos.many)[0].read_bytes()
    photo.write_bytes(data)

    def theirs_() -> object:
        return alone.run(alone.their_first_answer, photo)

    with _serving(work / "worker", models) as server:

        def next_worker() -> str:
            os.kill(_worker(server), signal.SIGKILL)
            return _send(server, data)

        _send(server, data)
        # Under half as long.
        yield _row("start of a worker to its first answer", 2, *by_turns(5, next_worker, theirs_), 5)

    home = work / "process"
    share_models(home, models)

    def process() -> object:
        photo.write_bytes(_new(data))
        return alone.run(alone.our_first_answer, home, photo)

    yield _row("start of Python to the first answer", None, *by_turns(5, process, theirs_), 5)


def _row(what: str, floor: float | None, ours: Timed[Any], other: Timed[Any], runs: int) -> Row:
    return Row(what, span(ours.seconds), span(other.seconds), other.seconds / ours.seconds, floor, (runs, runs))


def _against_theirs(server: Server, what: str, path: Path, work: Path) -> Row:
    file = work / f"{path.stem}-12.jpg"
    data = enlarged(path, 12)
    file.write_bytes(data)
    runs = 3
    ours, other = by_turns(runs, lambda: _send(server, data), lambda: theirs.look(file))
    return Row(
        f"upload of 12 megapixels to the result page, {what}",
        f"{span(ours.seconds)}, {faces(_count(server, ours.result))}",
        f"{span(other.seconds)}, {faces(len(other.result[0]))}",
        other.seconds / ours.seconds,
        8,
        (runs, runs),
    )


@contextmanager
def _serving(home: Path, models: Path) -> Iterator[Server]:
    """A server as `make serve` starts it, with one worker."""
    home.mkdir()
    server = Server(home, settings={"NAMESAKE_WORKERS": "1"}, models=models).start()
    try:
        yield server
    finally:
        server.stop()


def _worker(server: Server) -> int:
    """The process that answers."""
    return next(pid for pid in server.pids("gunicorn") if pid != server.process.pid)


@contextmanager
def _watching(worker: int) -> Iterator[list[int]]:
    """Bytes that a worker has together with what decodes for it, looked at every 2 ms; what both use counts once."""
    seen, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.002):
            found = Path(f"/proc/{worker}/task").glob("*/children")
            children = [child for path in found for child in path.read_text().split()]
            family = [str(worker), *(child for child in children if _decodes(child))]
            seen.append(sum(alone.share(process) for process in family))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def _decodes(process: str) -> bool:
    try:
        return b"app.recognition.decoding" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def _new(data: bytes) -> bytes:
    """The same picture as a file that was never seen: what follows its end is not looked at."""
    return data + next(_numbers).to_bytes(4)


def _send(server: Server, data: bytes) -> str:
    """Upload a photo as a browser does and read the page that follows; its address."""
    boundary, body = encode_multipart({"file": FileStorage(io.BytesIO(_new(data)), "photo.jpg")})
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", **_PAGE}
    status, location, _ = _ask(server, "POST", "/upload/", body, headers)
    assert status == 303, status
    status, _, page = _ask(server, "GET", location, b"", _PAGE)
    assert status == 200, status
    assert page.rstrip().endswith(b"</html>")
    return location


def _count(server: Server, location: str) -> int:
    return len(json.loads(_ask(server, "GET", location, b"", _JSON)[2])["faces"])


def _ask(server: Server, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Location", ""), answer.read()
    finally:
        connection.close()
