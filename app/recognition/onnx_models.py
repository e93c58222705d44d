"""dlib's networks for ONNX Runtime: converted once, compared with dlib, kept, loaded."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import logging
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions

from app.recognition import chips, dlib_weights, pyramid
from app.recognition.dlib_weights import BadWeights, Network
from app.recognition.engine import EngineUnfit
from app.recognition.onnx_detector import OnnxDetector
from app.recognition.processors import processors

log = logging.getLogger("namesake.engine")

ENCODER = "dlib_face_recognition_resnet_model_v1.dat"
DETECTOR = "mmod_human_face_detector.dat"
# Counts the changes of onnx_graphs: files of another version are not used.
_VERSION = 4
_NAMES = ("encoder", "features", "scores", "screen")
# What the screen can tell: a third above the largest values seen in 148 photos of as many people.
_RANGES = (6.5, 6.2, 9.3, 19.5)
# More chips at once are no faster.
_BATCH = 32
_DIGEST = 32

_loading = threading.Lock()


@dataclass(frozen=True)
class Models:
    """Ready to be used, by any thread of this process."""

    detector: OnnxDetector
    encoder: InferenceSession
    threads: int

    def encode(self, cut: NDArray[np.uint8]) -> NDArray[np.float32]:
        """chips (n, 150, 150, 3) -> encodings (n, 128). What a chip gives does not depend on the others."""
        parts = [
            self.encoder.run(None, {"chips": cut[start : start + _BATCH]})[0] for start in range(0, len(cut), _BATCH)
        ]
        return np.concatenate(parts) if parts else np.empty((0, 128), np.float32)


def load(folder: Path, threads: int | None = None) -> Models:
    """The models, one copy for the whole process. Raises EngineUnfit.

    threads: how many one call may use; else as many as there are processors. What they compute is the same.
    folder: where converted networks are kept. Converting takes a few seconds, once; processes that start together
    wait for the first.
    """
    with _loading:
        return _load(folder.resolve(), threads or processors())


def find_damage(folder: Path) -> tuple[list[str], list[str]]:
    """The converted networks in `folder` that are damaged, and those that are not there."""
    damaged, missing = [], []
    for path in _paths(folder):
        try:
            _read(path)
        except (FileNotFoundError, NotADirectoryError):
            missing.append(path.name)
        except (OSError, BadWeights):
            damaged.append(path.name)
    return damaged, missing


def verify(folder: Path) -> None:
    """Compare what the networks compute with what dlib computes. Raises EngineUnfit."""
    from app.recognition import verification

    verification.compare_with_dlib(load(folder))


def _paths(folder: Path) -> list[Path]:
    return [folder / f"{name}-{_key()}.onnx" for name in _NAMES]


@functools.cache
def _load(folder: Path, threads: int) -> Models:
    try:
        network = dlib_weights.read(chips.weights(DETECTOR))
        found = _paths(folder)
        return _kept(found, network, threads) or _converted(found, network, threads)
    except EngineUnfit:
        raise
    except (BadWeights, OSError) as error:
        raise EngineUnfit(f"dlib's networks cannot be read: {error}") from error
    except Exception as error:
        # onnx and ONNX Runtime raise many things, and dlib itself can still serve.
        raise EngineUnfit(f"dlib's networks cannot be converted: {error}") from error


def _kept(paths: list[Path], network: Network, threads: int) -> Models | None:
    try:
        parts = [_read(path) for path in paths]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, BadWeights) as error:
        log.warning("The converted networks in %s cannot be used and are made anew: %s", paths[0].parent, error)
        return None
    return _models(network, threads, *parts)


def _converted(paths: list[Path], network: Network, threads: int) -> Models:
    from app.recognition import onnx_graphs, verification

    with _one_at_a_time(paths[0].parent):
        kept = _kept(paths, network, threads)
        if kept is not None:
            return kept
        log.info("Preparing dlib's networks for ONNX Runtime. This happens once and takes a few seconds.")
        encoder = onnx_graphs.encoder(dlib_weights.read(chips.weights(ENCODER)))
        detector = onnx_graphs.detector(network, pyramid.UNITS, _RANGES)
        parts = [encoder, detector.features, detector.scores, detector.screen]
        models = _models(network, threads, *parts)
        verification.compare_with_dlib(models)
        log.info("Prepared, and found to agree with dlib.")
        try:
            for path, data in zip(paths, parts, strict=True):
                _write(path, data)
        except OSError as error:
            log.warning("The converted networks were not kept, so the next start converts them again: %s", error)
    return models


def _models(network: Network, threads: int, *parts: bytes) -> Models:
    encoder, features, scores, screen = (_session(part, threads) for part in parts)
    return Models(OnnxDetector(network, features, scores, screen), encoder, threads)


def _session(model: bytes, threads: int) -> InferenceSession:
    options = SessionOptions()
    options.intra_op_num_threads = threads
    # Several workers share the processors: who has nothing to do should not keep one busy waiting.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Memory goes back to the system after each photo.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return InferenceSession(model, options, providers=["CPUExecutionProvider"])


@functools.cache
def _key() -> str:
    """Changes whenever the converted networks could."""
    digest = hashlib.sha256(f"{_VERSION} {onnxruntime.__version__}".encode())
    for name in (ENCODER, DETECTOR):
        digest.update(chips.weights(name).read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError:
        yield  # where nothing can be kept, each process converts for itself
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> bytes:
    """A model as `_write` kept it. Raises BadWeights where it is not."""
    data = path.read_bytes()
    model = data[_DIGEST:]
    if data[:_DIGEST] != _digest(path, model):
        raise BadWeights(f"{path.name} is damaged")
    return model


def _write(path: Path, model: bytes) -> None:
    temporary = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(_digest(path, model) + model)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


def _digest(path: Path, model: bytes) -> bytes:
    return hashlib.sha256(path.name.encode() + model).digest()
