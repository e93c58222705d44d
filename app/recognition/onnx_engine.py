"""The fast engine: dlib's two networks in ONNX Runtime, its landmarks in dlib itself."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.recognition import chips, onnx_models
from app.recognition.engine import Box, Eyesight
from app.recognition.images import Pixels
from app.recognition.looking import LookingEngine


class OnnxEngine(LookingEngine):
    """See Engine. models: the folder of converted networks. Raises EngineUnfit."""

    name = "onnx"

    def __init__(self, eyesight: Eyesight, models: Path) -> None:
        super().__init__(eyesight)
        self._folder = models
        self._models = onnx_models.load(models)

    def one_threaded(self) -> OnnxEngine:
        if self._models.threads == 1:
            return self
        engine = copy.copy(self)
        engine._models = onnx_models.load(self._folder, threads=1)
        return engine

    def _detect_by_cnn(self, pixels: Pixels) -> list[Box]:
        return [box for box, _ in self._models.detector.detect(pixels)]

    def _encode(self, faces: Sequence[chips.Found]) -> NDArray[np.float32]:
        return self._models.encode(chips.cut_found(faces))
