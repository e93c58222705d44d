"""How fast Namesake is beside face_recognition, on the same photos and processors, by turns in one run.

    python -m benchmarks.speed [FOLDER] [--quick] [--only GROUP] [--output FILE]

FOLDER holds people/<name>/*.jpg, strangers/*.jpg and photos/*.jpg; where there is none the public sample photos
stand in. Prints a table; ends with code 1 when a floor is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from app.config import PREFIX, PROJECT
from app.recognition import onnx_models
from benchmarks.documents import write_between_markers
from benchmarks.speed import folders, networks, review, suggestions, uploads
from benchmarks.speed.measuring import Row, caption, table, tell
from benchmarks.speed.photos import gather

Group = Callable[[], Iterator[Row]]


def main() -> int:
    options = _options()
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    load_before = os.getloadavg()[0]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        home = work / "home"
        models = home / "instance" / "models"
        onnx_models.load(models)
        photos = gather(options.folder, work)
        groups: dict[str, Group] = {
            "encode": lambda: iter([networks.encode_one_chip(photos, models)]),
            "detect": lambda: networks.detect(photos, models, quick=options.quick),
            "suggest": suggestions.suggest,
            "review": lambda: review.next_group(work, models),
            "folder": lambda: folders.encode_folders(photos, home),
            "upload": lambda: uploads.upload(photos, models, work),
            "start": lambda: uploads.start(photos, models, work),
            "memory": lambda: uploads.memory_of_an_upload(photos, models, work),
        }
        for name in [options.only] if options.only else groups:
            tell(f"{name} ...")
            for row in groups[name]():
                tell(row.line())
                rows.append(row)
    text = f"{table(rows)}\n\n{caption(photos.note, load_before)}"
    print(text)
    if options.output:
        write_between_markers(options.output, text)
    return 1 if any(row.missed for row in rows) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=PROJECT.parent / "shared" / "faces")
    parser.add_argument("--quick", action="store_true", help="without the row that takes dlib a minute")
    parser.add_argument(
        "--only",
        choices=["encode", "detect", "suggest", "review", "folder", "upload", "start", "memory"],
        help="these rows alone",
    )
    parser.add_argument("--output", type=Path, help="a document with markers, between which the table goes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
