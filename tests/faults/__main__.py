"""python -m tests.faults: kills, power cuts and disks that will not; 1 when anything is wrong afterwards."""

from __future__ import annotations

import argparse
import sys
import time

from app.config import PROJECT
from app.recognition import onnx_models
from app.sample import fetch_sample
from tests.faults.campaign import Campaign


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which cases are chosen, and what survives a power cut")
    parser.add_argument("--kills", type=int, default=300, help="kills of forked servers, at least")
    parser.add_argument("--gunicorn", type=int, default=2, help="cases of each action with gunicorn itself")
    parser.add_argument("--refuse", type=float, default=1.0, help="share of the steps at which a disk will not")
    chosen = parser.parse_args()
    begun = time.monotonic()
    with Campaign(chosen.seed, lambda line: print(line[:1500], flush=True)) as campaign:
        campaign.kill(chosen.kills)
        if chosen.refuse:
            campaign.refuse(chosen.refuse)
        if chosen.gunicorn:
            models = PROJECT / "instance" / "models"
            onnx_models.load(models)
            campaign.kill_gunicorn(chosen.gunicorn, fetch_sample(), models)
    print(*campaign.report.lines(), f"seed {chosen.seed}, {time.monotonic() - begun:.0f} s", sep="\n")
    return 1 if campaign.report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
