"""A real server whose decoder can be broken by photos: no worker, and no other photo, suffers with it."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.recognition.poison import POISON
from tests.server import Server
from tests.views.shots import opened, saved
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere photos are decoded in the worker")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> Iterator[Server]:
    """The last test stops it."""
    command = ("gunicorn", "tests.poisoned:app")
    server = Server(tmp_path_factory.mktemp("poisoned"), command, {"NAMESAKE_WORKERS": "1"}, models_folder).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def portrait(sample_photos: dict[str, Path]) -> bytes:
    return saved(opened(sample_photos["obama.jpg"]).crop((310, 70, 700, 460)).resize((160, 160)), quality=92)


def worker(server: Server) -> int:
    return next(pid for pid in server.pids("gunicorn") if pid != server.process.pid)


def children(pid: int) -> list[int]:
    """The processes that decode for a worker."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    pids = [int(child) for path in found for child in path.read_text().split()]
    return [child for child in pids if b"tests.recognition.poison" in Path(f"/proc/{child}/cmdline").read_bytes()]


def send(server: Server, what: bytes) -> tuple[int, dict[str, object]]:
    return server.post("/upload/", file=("photo.jpg", POISON + what + b"\n"))


def test_a_photo_that_breaks_its_decoder_is_refused_and_the_worker_lives_on(server: Server, portrait: bytes) -> None:
    before = worker(server)
    for what, cause in ((b"crash", "SIGSEGV"), (b"eat", ""), (b"be killed", "SIGKILL")):
        status, answer = send(server, what)
        assert status == 400
        if cause:
            assert str(answer["message"]).startswith("The image could not be read: ")
            log = (server.home / "server.log").read_text()
            assert re.search(f"replaced: {cause}.*request={answer['request_id']}", log)
    assert list((server.home / "datasets/uploads").iterdir()) == []
    status, answer = server.post("/upload/", file=("photo.jpg", portrait))
    assert status == 200
    assert worker(server) == before


def test_others_are_served_while_a_photo_hangs(server: Server, portrait: bytes) -> None:
    refused: list[int] = []
    hanging = threading.Thread(target=lambda: refused.append(send(server, b"hang in C")[0]))
    hanging.start()
    for number in range(3):
        assert server.post("/upload/", file=("photo.jpg", portrait + bytes(number + 1)))[0] == 200
    assert server.get("/healthz")[0] == 200
    assert not refused
    hanging.join(60)
    assert refused == [400]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_ends_leaves_no_decoder_behind(server: Server, portrait: bytes, number: int) -> None:
    server.post("/upload/", file=("photo.jpg", portrait))
    before = worker(server)
    decoders = children(before)
    assert decoders
    os.kill(before, number)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in decoders), "its decoders to end")
    wait_for(lambda: [pid for pid in server.pids("gunicorn") if pid not in (before, server.process.pid)], "a new one")
    assert server.post("/upload/", file=("other.jpg", portrait + bytes([number])))[0] == 200


def test_a_server_that_is_stopped_finishes_the_photo_in_flight_and_leaves_no_decoder(
    server: Server, portrait: bytes
) -> None:
    server.post("/upload/", file=("photo.jpg", portrait))
    decoders = children(worker(server))
    answers: list[int] = []
    photo = saved(Image.effect_noise((3000, 2000), 60).convert("RGB"), "PNG")
    sending = threading.Thread(target=lambda: answers.append(server.post("/upload/", file=("big.png", photo))[0]))
    sending.start()
    wait_for(lambda: any(_decodes(pid) for pid in decoders), "the photo to be with its decoder")
    # As systemd does: to every process of the service.
    for pid in (*decoders, *server.pids("gunicorn")):
        os.kill(pid, signal.SIGTERM)
    sending.join(60)
    assert answers == [400], "kept, without a face"
    assert (server.home / "datasets/uploads/big.png").read_bytes() == photo
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in decoders), "the decoders to end")


def _decodes(pid: int) -> bool:
    try:
        return any("memfd" in os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
