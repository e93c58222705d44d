"""What has to be measured in a process of its own: what it takes to start, and the most memory it took.

    python -m benchmarks.speed.alone FUNCTION ARGUMENT...

calls one of the functions below and prints what it returns as JSON. Each imports what it needs and no more, which is
part of what is measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_PROJECT = Path(__file__).parents[2]


def run(function: Callable[..., Any], *arguments: object) -> Any:
    """Call one of the functions below in a new process; what it returns."""
    command = [sys.executable, "-m", "benchmarks.speed.alone", function.__name__, *map(str, arguments)]
    done = subprocess.run(command, cwd=_PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{function.__name__} failed: {done.stderr.strip()[-1000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def peak(process: int | str = "self") -> int:
    """The most memory a process has had, in bytes. (ru_maxrss would count what its parent had at the fork.)"""
    return _status(process, "VmHWM")


def share(process: int | str) -> int:
    """The memory of a process now, in bytes; of what it shares with others, its share."""
    with suppress(OSError):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return 0


def our_first_answer(home: str, photo: str) -> int:
    """What a worker does from its start to the end of the first upload."""
    from app import create_app

    client = create_app(Path(home)).test_client()
    with open(photo, "rb") as file:
        answer = client.post("/upload/", data={"file": (file, "first.jpg")})
    assert answer.status_code == 200, answer.text
    return len(json.loads(answer.data)["faces"])


def their_first_answer(photo: str) -> int:
    from benchmarks.speed import theirs

    return len(theirs.look(Path(photo))[0])


def our_detection_memory(models: str, photo: str, smallest_face: str) -> int:
    """Bytes that finding faces by the cnn takes, the photo and the models not counted."""
    from app.recognition.engine import Eyesight
    from app.recognition.images import decode
    from app.recognition.onnx_engine import OnnxEngine

    engine = OnnxEngine(Eyesight("cnn", 10_000, int(smallest_face)), Path(models))
    decoded = decode(Path(photo).read_bytes(), max_pixels=100_000_000)
    return _taken(lambda: engine._find(decoded))


def their_detection_memory(photo: str, upsamples: str) -> int:
    from benchmarks.speed import theirs

    image = theirs.api().load_image_file(photo)
    return _taken(lambda: theirs.detect(image, int(upsamples)))


def their_peak(photo: str) -> int:
    """The most memory of a process that loads, locates by hog and encodes."""
    from benchmarks.speed import theirs

    theirs.look(Path(photo))
    return peak()


def _taken(call: Callable[[], Any]) -> int:
    """How far memory grows, in bytes, beyond what the process holds before."""
    # Forgets the peak so far, which may be of the imports. Where it cannot, the figure is too high at most.
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before = _status("self", "VmRSS")
    call()
    return peak() - before


def _status(process: int | str, name: str) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
