"""NudeNet (Praneeth Bedapudi), where the optional extra `rushes[nudenet]` is installed.

The wheel's metadata says MIT, its licence file is AGPL-3.0. We therefore never ship or require it: who installs the
extra accepts that licence. The model lies inside the wheel; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

import numpy as np

from rushes.engine.gpu import Wish, device
from rushes.errors import StepFailure
from rushes.moderation.detector import Absent, Detection, Detector, Picture
from rushes.moderation.taxonomy import NUDENET

NAME = "nudenet"
CUDA = "CUDAExecutionProvider"


def find(gpu: Wish = "off") -> Detector | Absent:
    """The detector, loaded; or why there is none. Raises StepFailure `gpu_missing`."""
    if find_spec(NAME) is None:
        return Absent(NAME, "The nudenet extra is not installed.")
    try:
        return NudeNet(gpu)
    except StepFailure:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a broken third-party install raises, it means "not evaluated"
        return Absent(NAME, f"It could not be loaded: {type(error).__name__}.")


class NudeNet:
    """About 16 ms of one core a picture; the network sees it in a square of 320 pixels."""

    name = NAME

    def __init__(self, gpu: Wish = "off") -> None:
        self.version = version(NAME)
        self._model = _model(gpu)

    def detect(self, picture: Picture) -> Sequence[Detection]:
        named = [(NUDENET.get(one["class"]), float(one["score"])) for one in self.raw(picture)]
        return [Detection(name, score) for name, score in named if name is not None]

    def raw(self, picture: Picture) -> list[dict[str, Any]]:
        """The package's own answer: `class`, `score` and `box` of everything it knows, faces and feet too."""
        # It expects the channel order of OpenCV.
        found: list[dict[str, Any]] = self._model.detect(np.ascontiguousarray(picture[:, :, ::-1]))
        return found


def _model(gpu: Wish) -> Any:  # noqa: ANN401 - the package ships no types
    runtime = import_module("onnxruntime")
    model = import_module(NAME).NudeDetector()
    # One thread: the package's own session takes every core of the machine and twice the CPU time (measured: 34 ms
    # against 16 ms a picture), and a worker runs as many steps as it has slots.
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = str(files(NAME) / "320n.onnx")
    usable = CUDA in runtime.get_available_providers()
    wanted = [CUDA] if device(gpu, usable=usable) == "cuda" else []
    model.onnx_session = runtime.InferenceSession(path, options, providers=[*wanted, "CPUExecutionProvider"])
    if gpu == "required":  # the library goes on without one, where none answers
        device(gpu, usable=CUDA in model.onnx_session.get_providers())
    return model
