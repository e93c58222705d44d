"""/metrics: right whichever worker is asked, and whatever has become of the others."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app import metrics
from app.config import load
from tests.server import WORKERS, Server
from tests.waiting import wait_for

MANY = 60
PEOPLE = '{method="GET",route="/people/",status="200"}'


def read(text: str) -> dict[str, float]:
    """Every value by name and labels; fails where the text is not what Prometheus reads."""
    values = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            values[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return values


def told(server: Server) -> dict[str, float]:
    status, text = server.get("/metrics")
    assert status == 200
    return read(text)


def ask(server: Server, times: int) -> None:
    with ThreadPoolExecutor(6) as pool:
        assert {status for status, _answer in pool.map(server.get, ["/people/"] * times)} == {200}


def workers(server: Server) -> set[int]:
    return set(server.pids("gunicorn")) - {server.process.pid}


def test_every_request_counts_once_whoever_answered_it_and_whoever_is_asked(
    make_server: Callable[..., Server], sample_photos: dict[str, Path], tmp_path: Path
) -> None:
    server = make_server()
    wait_for(lambda: told(server)["namesake_workers"] == WORKERS, "every worker to be counted")
    ask(server, MANY)
    with ThreadPoolExecutor(6) as pool:
        seen = list(pool.map(lambda _: told(server)[f"namesake_requests_total{PEOPLE}"], range(MANY)))
    assert set(seen) == {MANY}

    victim = next(iter(workers(server)))
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: victim not in workers(server) and len(workers(server)) == WORKERS, "another worker")
    wait_for(lambda: told(server)["namesake_workers"] == WORKERS, "the dead to be forgotten")
    ask(server, MANY)
    values = told(server)
    assert values[f"namesake_requests_total{PEOPLE}"] == 2 * MANY
    assert values['namesake_request_seconds_count{route="/people/"}'] == 2 * MANY
    assert values['namesake_request_seconds_bucket{le="+Inf",route="/people/"}'] == 2 * MANY

    # What the consumer does, in a process of its own, counts too.
    photo = sample_photos["obama.jpg"]
    status, answer = server.post("/upload/", file=(photo.name, photo.read_bytes()), later="1")
    assert status == 202
    wait_for(lambda: server.get(answer["job_url"])[1]["state"] == "done", "the face to be found")
    values = told(server)
    assert values['namesake_uploads_total{outcome="taken"}'] == 1
    assert values["namesake_faces_found_total"] == values['namesake_faces{status="inbox"}'] == 1
    assert values["namesake_detect_seconds_count"] == values["namesake_encode_seconds_count"] == 1
    assert values["namesake_consumer_alive"] == 1
    assert server.get("/healthz/ready") == (200, {"status": "ok", "engine": "onnx"})


@pytest.mark.parametrize("memory", [True, False])
def test_counts_begin_anew_with_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: bool) -> None:
    """On a disk that is full a mapped file costs whoever writes to it their life: in memory, if there is a place."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "elsewhere")
    monkeypatch.setattr(metrics, "_MEMORY", tmp_path / ("memory" if memory else "nowhere"))
    for folder in ("memory", "instance"):
        (tmp_path / folder).mkdir()
    metrics.prepare(load(tmp_path, {}))
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    assert folder.parent == tmp_path / ("memory" if memory else "instance")
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "counter_1.db").write_bytes(b"of a server that is gone")
    metrics.prepare(load(tmp_path, {}))
    assert list(folder.iterdir()) == []
    metrics.clear()
    assert not folder.exists()


def test_no_address_and_no_invented_method_becomes_a_label(app: Flask, client: FlaskClient) -> None:
    client.get("/Zebediah/Quux")
    client.open("/people/", method="ZEBEDIAH")
    text = client.get("/metrics").get_data(as_text=True)
    assert 'method="other"' in text
    assert 'route="none"' in text
    assert "ebediah" not in text.lower()
