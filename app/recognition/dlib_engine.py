"""The reference engine: dlib's detectors and network, through face_recognition."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from app.recognition.chips import Found
from app.recognition.engine import Box, Eyesight
from app.recognition.images import Pixels
from app.recognition.looking import LookingEngine
from app.recognition.quiet import quiet

# face_recognition holds one copy of each model for the whole process, and dlib's detectors and networks keep
# scratch memory inside. Landmarks are read-only and need no guard.
_detecting = threading.Lock()
_encoding = threading.Lock()


class DlibEngine(LookingEngine):
    """See Engine. Importing face_recognition loads every model: 2 seconds, 150 MB."""

    name = "dlib"

    def __init__(self, eyesight: Eyesight, note: str = "") -> None:
        super().__init__(eyesight, note)
        with quiet():
            truncated = ImageFile.LOAD_TRUNCATED_IMAGES
            import face_recognition.api

            # It lets half a photo pass for a whole, in the whole process.
            ImageFile.LOAD_TRUNCATED_IMAGES = truncated
        self._models = face_recognition.api

    def _detect_by_cnn(self, pixels: Pixels) -> list[Box]:
        with _detecting:
            found = self._models.face_locations(pixels, number_of_times_to_upsample=0, model="cnn")
        return [tuple(box) for box in found]

    def _encode(self, faces: Sequence[Found]) -> NDArray[np.float32]:
        # What face_recognition.face_encodings does once it has the landmarks. dlib reads the arrays in place, so huge
        # photos cost no more than small ones.
        encode = self._models.face_encoder.compute_face_descriptor
        with _encoding:
            encodings = [np.array(encode(face.pixels, face.landmarks, 1)) for face in faces]
        return np.array(encodings, np.float32).reshape(-1, 128)
