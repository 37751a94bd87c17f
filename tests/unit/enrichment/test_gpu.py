"""Where a GPU is there but cannot be used, a wish falls back to the processor, and a demand fails so that others may do it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from rushes.enrichment import whisper
from rushes.errors import Blame, StepFailure
from rushes.moderation import nudenet


class LibrariesMissing:
    """CTranslate2 looks for cuBLAS when it first multiplies, not when the model is loaded."""

    def __init__(self, path: str, *, device: str, **_: object) -> None:
        self.device = device
        self.feature_extractor = FeatureExtractor()

    def encode(self, features: np.ndarray) -> None:
        assert features.shape == (80, 3000)
        if self.device == "cuda":
            raise RuntimeError("Library libcublas.so.12 is not found or cannot be loaded")


@pytest.fixture
def no_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper, "WhisperModel", LibrariesMissing)
    monkeypatch.setattr(whisper, "get_cuda_device_count", lambda: 1)


@pytest.mark.usefixtures("no_libraries")
def test_speech_without_cudas_libraries_is_heard_by_the_processor() -> None:
    found: Any = whisper._loaded(Path("model"), "auto")
    assert found.device == "cpu"


@pytest.mark.usefixtures("no_libraries")
def test_where_a_gpu_is_required_speech_without_its_libraries_fails() -> None:
    with pytest.raises(StepFailure) as failed:
        whisper._loaded(Path("model"), "required")
    assert (failed.value.code, failed.value.blame) == ("gpu_missing", Blame.RESOURCE)


class Runtime(SimpleNamespace):
    """onnxruntime-gpu: it offers CUDA without a GPU too, and does without it then, without a word."""

    SessionOptions = SimpleNamespace

    def __init__(self, *used: str) -> None:
        super().__init__(
            get_available_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
            InferenceSession=lambda *_, **__: SimpleNamespace(get_providers=lambda: [*used, "CPUExecutionProvider"]),
        )


def loaded(monkeypatch: pytest.MonkeyPatch, *used: str) -> None:
    parts = {"onnxruntime": Runtime(*used), "nudenet": SimpleNamespace(NudeDetector=SimpleNamespace)}
    monkeypatch.setattr(nudenet, "import_module", parts.__getitem__)
    monkeypatch.setattr(nudenet, "files", lambda _: Path())


def test_where_a_gpu_is_required_labels_without_one_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(monkeypatch)
    assert nudenet._model("auto").onnx_session.get_providers() == ["CPUExecutionProvider"]
    with pytest.raises(StepFailure) as failed:
        nudenet._model("required")
    assert (failed.value.code, failed.value.blame) == ("gpu_missing", Blame.RESOURCE)


def test_where_there_is_one_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(monkeypatch, "CUDAExecutionProvider")
    assert nudenet._model("required").onnx_session.get_providers()[0] == "CUDAExecutionProvider"
