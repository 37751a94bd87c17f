"""Log lines that machines read."""

from __future__ import annotations

import json
import logging

import pytest

from rushes import logs
from rushes.tracing import trace_id


@pytest.fixture
def _restored():
    root = logging.getLogger("rushes")
    before = (root.handlers[:], root.level, root.propagate)
    yield
    root.handlers[:], root.propagate = before[0], before[2]
    root.setLevel(before[1])


@pytest.mark.usefixtures("_restored")
def test_a_line_is_one_object_with_what_it_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    about = {"asset": "a1", "step": "encode.0", "worker": "w1", "tenant": "ann", "attempt": "2", "secret": "x"}
    logging.getLogger("rushes.worker").warning("step\nfailed", extra={**about, "code": "stalled"})
    logging.getLogger("rushes.server").info("started")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert first.pop("at").endswith("Z")
    assert first == {
        "level": "warning", "message": "step\nfailed", "asset": "a1", "step": "encode.0", "worker": "w1", "tenant": "ann",
        "attempt": "2", "code": "stalled", "trace_id": trace_id("a1"),
    }  # fmt: skip
    assert "trace_id" not in second


@pytest.mark.usefixtures("_restored")
def test_the_text_form_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("text")
    logging.getLogger("rushes.worker").info("step done", extra={"asset": "a1", "tenant": "ann"})
    line = capsys.readouterr().err
    assert line.endswith("info    step done asset=a1\n")
