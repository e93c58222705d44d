"""Strangers who are ignored stay ignored, with whoever looks just like them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.labelling.workspace import Work, Workspace
from app.recognition.propagation import squared_distances
from app.store import inbox, queries
from app.store.queries import set_face

# Nearer than this two faces are of one person: of 761,410 pairs of different people in Labeled Faces in the Wild 3 are,
# and a third of the pairs of one person.
_ALIKE = 0.4


def alike(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(m, 128), (n, 128) -> (m,): which of the first look just like one of the others."""
    if not len(some) or not len(others):
        return np.zeros(len(some), bool)
    found: NDArray[np.bool_] = np.any(squared_distances(some, others) < _ALIKE**2, axis=1)
    return found


def ignore_look_alikes(workspace: Workspace, work: Work, face_ids: Sequence[int]) -> None:
    """Ignore those of some new faces that look just like an ignored stranger, and like nobody who is known."""
    ignored = [queries.unpack(encoding) for encoding in inbox.ignored_encodings(work.connection)]
    rows = list(queries.faces_by_id(work.connection, face_ids).values()) if ignored else []
    encodings = [row.encoding for row in rows]
    if not rows:
        return
    same = alike(np.array([queries.unpack(encoding) for encoding in encodings]), np.array(ignored))
    if not same.any():
        return
    for row, is_same, suggestion in zip(rows, same, workspace.suggest(encodings), strict=True):
        if is_same and suggestion.person is None:
            set_face(work.connection, row.id, "inbox", status="ignored", person_id=None, revision=work.revision)
