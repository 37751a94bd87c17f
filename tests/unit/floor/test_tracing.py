"""Names of traces and spans, and what others say theirs are (W3C Trace Context)."""

from __future__ import annotations

import pytest

from rushes.tracing import attempt_span, caller_of, is_sampled, trace_id, traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_names_are_of_the_form_that_w3c_gives_them() -> None:
    assert trace_id("a") != trace_id("b")
    version, trace, span, flags = traceparent(trace_id("a"), attempt_span("s", 3)).split("-")
    assert (version, trace, span, flags) == ("00", trace_id("a"), attempt_span("s", 3), "01")
    assert (len(trace), len(span)) == (32, 16)
    assert attempt_span("s", 3) != attempt_span("s", 4)
    assert traceparent(TRACE, SPAN, sampled=False).endswith("-00")


@pytest.mark.parametrize(
    "header",
    [
        f"00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-00",  # not sampled there is no reason to forget who it was
        f"  00-{TRACE}-{SPAN}-01\t",
        f"01-{TRACE}-{SPAN}-01-what-a-later-version-says",
        f"fe-{TRACE}-{SPAN}-09",
    ],
)
def test_a_caller_is_known_by_its_header(header: str) -> None:
    assert caller_of(header) == (TRACE, SPAN)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",  # the version that we know has no more
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01x",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-०१",
        f"01-{TRACE}-{SPAN}-01-" + "x" * 10_000,
        f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01",
    ],
)
def test_what_is_no_such_header_is_nobody(header: str) -> None:
    assert caller_of(header) is None


def test_a_share_of_all_traces_is_the_same_everywhere() -> None:
    traces = [trace_id(f"asset {number}") for number in range(2_000)]
    tenth = {trace for trace in traces if is_sampled(trace, 0.1)}
    assert 120 < len(tenth) < 280
    assert tenth <= {trace for trace in traces if is_sampled(trace, 0.3)}
    assert all(is_sampled(trace, 1.0) for trace in [*traces, "f" * 32])
    assert not any(is_sampled(trace, 0.0) for trace in [*traces, "0" * 32])
