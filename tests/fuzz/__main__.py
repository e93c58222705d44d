"""Sends broken files to the product: photos, pickles, archives, backups, tables, XMP.

    python -m tests.fuzz [--inputs 5000] [--seed 0] [--keep FOLDER]

Prints what became of them, and ends with code 1 when anything was violated: a failure, a hang, memory beyond a bound,
a worker that died, something written by a refused request, a path in a message. The same seed sends the same files.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from app.config import PREFIX, PROJECT
from app.recognition import onnx_models
from tests.fuzz.archives import fuzz_archives
from tests.fuzz.backups import fuzz_backups
from tests.fuzz.photos import fuzz_photos
from tests.fuzz.pickles import fuzz_pickles
from tests.fuzz.tally import Tally


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=5000, help="photos; as many pickles, and a tenth of each other")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the files that violated something")
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    began = time.monotonic()
    tally = Tally(keep=options.keep)
    with tempfile.TemporaryDirectory() as folder:
        home, models = Path(folder), PROJECT / "instance" / "models"
        onnx_models.load(models)
        fuzz_pickles(tally, options.inputs, options.seed)
        fuzz_archives(tally, options.inputs // 10, options.seed, home, models)
        fuzz_backups(tally, options.inputs // 10, options.seed, home, models)
        fuzz_photos(tally, options.inputs, options.seed, home, models)
    print(tally.table())  # noqa: T201
    print(f"Seed {options.seed}, {time.monotonic() - began:.0f} s.")  # noqa: T201
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
