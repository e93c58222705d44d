"""The installation's own secret, and random ones for those who come in."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path


def read_secret(instance: Path) -> str:
    """The key that cookies and job messages are signed with; made once for all processes."""
    path = instance / "secret"
    if not path.exists():
        instance.mkdir(parents=True, exist_ok=True)
        draft = instance / f".secret-{secrets.token_hex(4)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())  # a power cut must not leave an empty key
        try:
            os.link(draft, path)  # fails when another process was first
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text("utf-8")


def new_key() -> str:
    """43 characters that nobody can guess."""
    return secrets.token_urlsafe(32)


def fingerprint(key: str) -> str:
    """What the store keeps of a key, 64 characters. A plain hash will do: there is nothing in a random key to guess."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
