"""What may be a person's name."""

from __future__ import annotations

import unicodedata

from app.errors import InvalidInput

MAX_LENGTH = 80
# They reverse the text around them, so that a page shows one name and the store holds another.
_BIDI_CONTROLS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean_label(text: str | None) -> str:
    """The label to store: composed (NFC), without spaces around it or doubled within. Raises InvalidInput."""
    label = unicodedata.normalize("NFC", " ".join((text or "").split(" ")).strip())
    label = " ".join(part for part in label.split(" ") if part)
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in _BIDI_CONTROLS for c in label):
        raise InvalidInput("A name cannot hold control characters or line breaks.")
    if not any(unicodedata.category(c)[0] in "LNPS" for c in label):
        raise InvalidInput("Please give a name.")
    if len(label) > MAX_LENGTH:
        raise InvalidInput(f"A name can be {MAX_LENGTH} characters long; this one has {len(label):,}.")
    return label
