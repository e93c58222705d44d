"""What a process loads, starts and leaves behind before it has done anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from app.config import PROJECT


def run(code: str, home: Path) -> str:
    """What Python says to it, as somebody whose home is empty."""
    # ONNX Runtime reports nothing from where it sees tests running.
    hidden = ("NAMESAKE_", "ORT_", "XDG_", "CI", "PROMETHEUS_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    environment |= {"HOME": str(home / "me"), "NAMESAKE_HOME": str(home / "namesake")}
    (home / "me").mkdir()
    told = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


def test_what_runs_the_networks_is_loaded_when_a_photo_comes(tmp_path: Path) -> None:
    """The server's first process forks, which threads of theirs would not survive, and every command would wait."""
    heavy = ["dlib", "face_recognition", "onnx", "onnxruntime", "sklearn"]
    assert run(f"import sys, wsgi; print([name for name in {heavy} if name in sys.modules])", tmp_path) == "[]"


def test_onnx_runtime_keeps_no_number_of_this_machine_and_reports_to_nobody(tmp_path: Path) -> None:
    """It would do both from its import on: the number in the home of whoever runs it, the report by a thread."""
    run("from app.recognition import onnx_models", tmp_path)
    assert list((tmp_path / "me").rglob("*")) == []
