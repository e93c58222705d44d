"""Metrics for Prometheus, summed over all processes: each keeps its counts in a file of its own, and whoever is asked
adds them up with what the store knows.

The files are in memory where the system has a place for that: they are mapped, and whoever writes to a mapped file on a
full disk is killed for it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from app import meters
from app.config import Settings
from app.labelling.tallies import Tallies

# The library chooses between one process and many when it is imported.
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_MEMORY = Path("/dev/shm")  # noqa: S108
FORMAT = "text/plain; version=1.0.0; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


def prepare(settings: Settings) -> None:
    """Have this process and those that it starts count together, from nothing. Before it serves, and only once."""
    folder = _emptied(in_memory(settings)) or _emptied(settings.instance / "metrics")
    if folder is not None:
        os.environ[_FOLDER] = str(folder)


def clear() -> None:
    """Leave nothing in memory when the server has ended."""
    if _FOLDER in os.environ:
        shutil.rmtree(os.environ[_FOLDER], ignore_errors=True)


def in_memory(settings: Settings) -> Path:
    """The same at every start, so that what a killed server has left goes with the next."""
    installation = hashlib.sha256(str(settings.instance.resolve()).encode()).hexdigest()[:16]
    return _MEMORY / f"namesake-{os.getuid()}-{installation}"


def _emptied(folder: Path) -> Path | None:
    """The folder, new and for this user alone; None where there can be none."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700)
    except OSError:
        return None
    return folder


def bury(pid: int) -> None:
    """Forget that a process is alive. What it has counted stays counted."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def listen() -> None:
    """Count what this process does."""
    _meters()  # now, while there is one thread: two that make them at once would stumble over each other
    meters.listen(_note)


def announce() -> None:
    """Count this process as a worker while it lives."""
    _meters()["workers"].set(1)


@cache
def _meters() -> dict[str, Any]:
    from prometheus_client import Counter, Gauge, Histogram

    def histogram(name: str, what: str, *labels: str) -> Any:
        return Histogram(f"namesake_{name}", what, labels, buckets=_SECONDS)

    return {
        "requests": Counter("namesake_requests", "Requests answered.", ("method", "route", "status")),
        "request_seconds": histogram("request_seconds", "How long an answer took.", "route"),
        "uploads": Counter("namesake_uploads", "Photos sent, by what became of them.", ("outcome",)),
        "faces_found": Counter("namesake_faces_found", "Faces found in photos."),
        "decode_seconds": histogram("decode_seconds", "How long decoding a photo took."),
        "detect_seconds": histogram("detect_seconds", "How long looking for the faces of a photo took."),
        "encode_seconds": histogram("encode_seconds", "How long encoding faces took, those of a few photos at once."),
        "workers": Gauge("namesake_workers", "Workers that answer.", multiprocess_mode="livesum"),
    }


def _note(meter: str, amount: float, labels: dict[str, str]) -> None:
    found = _meters()[meter]
    found = found.labels(**labels) if labels else found
    if hasattr(found, "observe"):
        found.observe(amount)
    else:
        found.inc(amount)


def write(tallies: Tallies, *, consumer: bool, build: dict[str, str]) -> bytes:
    """Everything, in Prometheus's text format. tallies: of the store."""
    from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, multiprocess

    registry = CollectorRegistry()
    if _FOLDER in os.environ:
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(_Also(REGISTRY))
    registry.register(_Standing(tallies, consumer, build))
    return generate_latest(registry)


class _Also:
    """What another registry holds, of ours."""

    def __init__(self, registry: Any) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Any]:
        return [metric for metric in self._registry.collect() if metric.name.startswith("namesake_")]


class _Standing:
    """How things stand, in the store and beside it."""

    def __init__(self, tallies: Tallies, consumer: bool, build: dict[str, str]) -> None:
        self._tallies, self._consumer, self._build = tallies, consumer, build

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

        for name, what, label, values in (
            ("faces", "Faces, by what has been decided about them.", "status", self._tallies.faces),
            ("decisions", "Decisions so far, by kind.", "kind", self._tallies.decisions),
            ("jobs", "Background jobs, by state.", "state", self._tallies.jobs),
        ):
            family = GaugeMetricFamily(f"namesake_{name}", what, labels=[label])
            for key, value in sorted(values.items()):
                family.add_metric([key], value)
            yield family
        for name, what, value in (
            ("photos", "Photos.", self._tallies.photos),
            ("inbox_faces", "Faces that wait for a decision.", self._tallies.faces.get("inbox", 0)),
            ("people", "People with a labelled face.", self._tallies.people),
            ("gallery_faces", "Labelled faces that are used to recognise others.", self._tallies.gallery),
            ("queue_jobs", "Background jobs that wait or run.", self._tallies.waiting),
            ("consumer_alive", "Whether there is a process that works off jobs.", int(self._consumer)),
        ):
            yield GaugeMetricFamily(f"namesake_{name}", what, value=value)
        yield InfoMetricFamily("namesake_build", "What runs.", value=self._build)
