"""What a child has told of an attempt, as spans below it."""

from __future__ import annotations

from rushes.engine.job import Job
from rushes.ffmpeg.meter import Run
from rushes.states import StepKind
from rushes.storage.timed import Requests
from rushes.tracing import attempt_span, trace_id
from rushes.workers.order import Ran
from rushes.workers.parts import for_later, parts_of

JOB = Job.model_construct(step_id="s1", key="encode.0", kind=StepKind.ENCODE, asset="a", tenant="t", fence=2)
RUN = Run(program="ffmpeg-linux-v7", verb="libx264", began=10.0, seconds=2.0, cpu_seconds=1.5, exit=0, frames=50)
GET = Requests(began=9.0, ended=10.0, count=3, failed=1, seconds=1.4, bytes=700)


def test_tools_and_the_store_are_below_the_attempt() -> None:
    spans = parts_of(JOB, Ran(tools=(RUN, RUN.model_copy(update={"began": 13.0})), store={"get": GET}))
    assert {span.trace for span in spans} == {trace_id("a")}
    assert {span.parent for span in spans} == {attempt_span("s1", 2)}
    assert len({span.span for span in spans}) == 3
    assert [(span.name, span.began, span.ended) for span in spans] == [
        ("ffmpeg libx264", 10.0, 12.0), ("ffmpeg libx264", 13.0, 15.0), ("store get", 9.0, 10.0)
    ]  # fmt: skip
    tool, _, store = spans
    assert tool.attributes["process.executable.name"] == "ffmpeg-linux-v7"
    assert (tool.attributes["process.exit.code"], tool.attributes["rushes.frames"], tool.error) == (0, 50, None)
    assert store.attributes["rushes.store.requests"] == 3
    assert store.attributes["rushes.store.bytes"] == 700
    assert store.error is None  # others answered in its place


def test_the_same_parts_have_the_same_names() -> None:
    ran = Ran(tools=(RUN,), store={"get": GET})
    assert parts_of(JOB, ran) == parts_of(JOB, ran)


def test_what_waits_to_be_sent_keeps_no_job() -> None:
    """Its inputs may be megabytes, and a collector slow."""
    ran = Ran(tools=(RUN,), store={"get": GET})
    later = for_later(JOB, ran)
    assert JOB not in later.args
    assert later() == parts_of(JOB, ran)


def test_a_tool_that_failed_says_why() -> None:
    ended = RUN.model_copy(update={"exit": -9, "error": "over_limit_memory"})
    broken = RUN.model_copy(update={"exit": 187})
    left = RUN.model_copy(update={"exit": None, "program": "python3.11", "verb": "rushes.ffmpeg.probe_child"})
    one, other, third = parts_of(JOB, Ran(tools=(ended, broken, left)))
    assert (one.error, one.attributes["error.type"]) == ("over_limit_memory", "over_limit_memory")
    assert (other.error, other.attributes["process.exit.code"]) == ("187", 187)
    assert (third.name, third.error) == ("python rushes.ffmpeg.probe_child", None)
    assert "process.exit.code" not in third.attributes
