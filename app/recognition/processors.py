"""How many processors there are to use."""

from __future__ import annotations

import joblib


def processors() -> int:
    """How many this process may use: by its affinity, and by the quota of its container."""
    return int(joblib.cpu_count())
