"""Told to stop, to reload or to replace its workers, a server first finishes what it has begun."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.labelling.consistency import assert_consistent, rows
from tests.server import Server, fill_reserve
from tests.waiting import wait_for

EDGE = "edge"


class SlowUpload:
    """An upload that a worker is reading, and of which one half has been sent."""

    def __init__(self, server: Server, photo: Path) -> None:
        head = f'--{EDGE}\r\nContent-Disposition: form-data; name="file"; filename="slow.jpg"\r\n\r\n'.encode()
        body = head + photo.read_bytes() + f"\r\n--{EDGE}--\r\n".encode()
        self._rest = body[len(body) // 2 :]
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self._connection.putrequest("POST", "/upload/")
        self._connection.putheader("Content-Type", f"multipart/form-data; boundary={EDGE}")
        self._connection.putheader("Content-Length", str(len(body)))
        self._connection.putheader("Expect", "100-continue")
        self._connection.endheaders()
        # The word to go on comes from a worker: the upload no longer waits in the queue of the system.
        assert self._connection.sock.recv(12, socket.MSG_PEEK).startswith(b"HTTP/1.1 100")
        self._connection.send(body[: len(body) // 2])

    def finish(self) -> tuple[int, Any]:
        self._connection.send(self._rest)
        response = self._connection.getresponse()
        answer = response.status, json.loads(response.read())
        self._connection.close()
        return answer


def refuses(server: Server) -> bool:
    with closing(socket.socket()) as sock:
        return sock.connect_ex(("127.0.0.1", server.port)) != 0


def test_an_upload_under_way_is_answered_and_stored_before_the_server_ends(
    make_server: Callable[..., Server], sample_photos: dict[str, Path], tmp_path: Path
) -> None:
    server = make_server()
    uploads = [SlowUpload(server, sample_photos[name]) for name in ("obama.jpg", "biden.jpg")]
    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: refuses(server), "new connections to be refused")
    for upload in uploads:
        status, answer = upload.finish()
        assert (status, len(answer["faces"])) == (200, 1)
    assert server.process.wait(60) == 0
    wait_for(lambda: not server.pids(), "every process to end")
    assert len(rows(tmp_path, "SELECT id FROM photos")) == len(uploads)
    assert_consistent(tmp_path)


def test_a_job_is_put_back_where_it_is(
    make_server: Callable[..., Server], sample_photos: dict[str, Path], tmp_path: Path
) -> None:
    fill_reserve(tmp_path, sample_photos, 32)
    server = make_server()
    job = server.start_reset().split("/")[2]

    def state() -> dict[str, Any]:
        return rows(tmp_path, "SELECT state, done, attempts FROM jobs WHERE id = ?", job)[0]

    wait_for(lambda: state()["done"] >= 2, "the job to be under way")
    server.stop()
    assert (state()["state"], state()["attempts"]) == ("queued", 0)
    assert 2 <= state()["done"] < 32


@pytest.mark.parametrize("how", ["reload", "recycle"])
def test_no_request_is_lost_while_workers_come_and_go(make_server: Callable[..., Server], how: str) -> None:
    server = make_server(**({"GUNICORN_CMD_ARGS": "--max-requests 25"} if how == "recycle" else {}))
    before, over = workers(server), threading.Event()

    def ask() -> list[int]:
        """One after the other, each over a new connection, until the workers are others."""
        seen = []
        while not over.is_set():
            seen.append(server.get("/people/")[0])
        return seen

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        if how == "reload":
            server.process.send_signal(signal.SIGHUP)
        try:
            wait_for(lambda: len(workers(server) - before) >= 3 and not before & workers(server), "other workers")
        finally:
            over.set()
        answers = [status for future in asking for status in future.result()]
    assert set(answers) == {200}
    assert len(answers) > 25


def workers(server: Server) -> set[int]:
    return set(server.pids("gunicorn")) - {server.process.pid}
