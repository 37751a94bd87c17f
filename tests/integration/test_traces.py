"""One trace of a real asset through every process of a real stack, as a real OTLP/HTTP collector gets it."""

from __future__ import annotations

import base64
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from rushes.clock import SystemClock, pause
from rushes.ffmpeg.binary import find_binary
from rushes.testing import running_stack
from rushes.tracing import caller_of, root_span, trace_id, upload_span
from tests.acceptance.corpus import settled, until
from tests.services.collector import Ear, attributes, listening

CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TUS = {"Tus-Resumable": "1.0.0"}
SECRET = "whsec_" + base64.b64encode(b"integration" * 3).decode()


def said(ear: Ear, wanted: Counter[str], patience: float = 60.0) -> list[Span]:
    """All spans, once so many of these names have come, and the parents of all."""
    clock = SystemClock()
    began = clock.monotonic()
    while clock.monotonic() - began < patience:
        spans = ear.spans()
        known, above = {span.span_id for span in spans}, {span.parent_span_id for span in spans}
        if wanted <= Counter(span.name for span in spans) and above <= known | {b""}:
            return spans
        pause(0.1)
    raise TimeoutError(f"the collector has {sorted(span.name for span in ear.spans())}")


def sent_in_two(url: str, clip: Path) -> str:
    """By tus: a creation that says whose trace it belongs to, a PATCH that says it wrongly, one that does not say it."""
    data, name = clip.read_bytes(), base64.b64encode(b"clip.mkv").decode()
    header = {"traceparent": f"00-{CALLER[0]}-{CALLER[1]}-01"}
    made = httpx.post(
        f"{url}/files?secret=never-tell",
        headers={**TUS, **header, "Upload-Length": str(len(data)), "Upload-Metadata": f"filename {name}"},
    )
    half = len(data) // 2
    for part, extra in ((slice(0, half), {"traceparent": f"00-{'0' * 32}-{CALLER[1]}-01"}), (slice(half, None), {})):
        headers = {**TUS, **extra, "Upload-Offset": str(part.start), "Content-Type": "application/offset+octet-stream"}
        answer = httpx.patch(made.headers["location"], headers=headers, content=data[part], timeout=60)
        assert answer.status_code == 204
    asset: str = answer.headers["rushes-asset"]
    return asset


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    command = [str(find_binary()), "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30:duration=2"]
    subprocess.run([*command, "-f", "lavfi", "-i", "sine=duration=2", "-c:v", "mpeg4", str(path)], check=True)
    return path


@pytest.fixture
def ear(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ear]:
    with listening() as one:
        for name in [name for name in os.environ if name.startswith("OTEL_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", one.url)
        yield one


def without_models(folder: Path) -> str:
    """A profile: `fast`, without what takes longest and is to a trace a step as any other."""
    text = (resources.files("rushes") / "data" / "profiles" / "fast.toml").read_text()
    found = folder / "small.toml"
    found.write_text(text.replace("transcript = true", "transcript = false").replace("labels = true", "labels = false"))
    return str(found)


def test_one_trace_from_the_first_request_to_the_webhook(tmp_path: Path, clip: Path, ear: Ear) -> None:
    hooks = {"webhook_url": f"{ear.url}/hook", "webhook_secret": SECRET}
    with running_stack(tmp_path / "data", profile=without_models(tmp_path), **hooks) as stack:
        asset = sent_in_two(stack.url, clip)
        httpx.get(f"{stack.url}/v1/assets/{asset}")
        httpx.post(f"{stack.url}/v1/assets/{asset}/tokens")
        steps = until(stack.url, asset, settled, 120)["steps"]
        keys = {step["key"] for step in steps}
        others = ("asset", "webhook asset.ready", "webhook asset.published", *["PATCH /files/{upload}"] * 2)
        spans = said(ear, Counter([*keys, *others]))
    by_id = {span.span_id.hex(): span for span in spans}
    # One trace, one root, and everybody's parent is there
    assert {span.trace_id.hex() for span in spans} == {trace_id(asset)}
    assert {span.name for span in spans if not span.parent_span_id} == {"asset"}
    told = {event.name for event in by_id[root_span(asset)].events}
    assert {"uploaded", "planned", "playable", "ready"} <= told
    assert {name for name, _ in ear.services()} == {"rushes-web", "rushes-worker"}
    # Requests: below the upload, and linked to who asked, as far as that is known
    requests = {span.name: span for span in spans if span.kind == Span.SPAN_KIND_SERVER}
    assert set(requests) == {"POST /files", "PATCH /files/{upload}"}  # neither who read nor who wants to play
    assert {span.parent_span_id.hex() for span in requests.values()} == {upload_span(asset)}
    (link,) = requests["POST /files"].links
    assert (link.trace_id.hex(), link.span_id.hex()) == CALLER
    patches = [span for span in spans if span.name == "PATCH /files/{upload}"]
    assert len(patches) == 2
    assert not any(span.links for span in patches)
    assert attributes(patches[0])["http.response.status_code"] == 204
    # Steps: each attempt below the whole, fan-ins linked to what they waited for
    attempts = {span.name: span for span in spans if span.name in keys}
    assert set(attempts) == keys
    assert {span.parent_span_id.hex() for span in attempts.values()} == {root_span(asset)}
    after = {name: {by_id[link.span_id.hex()].name for link in span.links} for name, span in attempts.items()}
    assert any(len(names) > 1 and any(name.startswith("encode") for name in names) for names in after.values())
    assert any(key.startswith("publish") for key in keys)
    # Tools and the store, below their attempts
    tools = [span for span in spans if span.name.startswith(("ffmpeg ", "python "))]
    above = {by_id[span.parent_span_id.hex()].name for span in tools}
    assert "probe" in above
    assert any(name.startswith("encode") for name in above)
    encoder = next(span for span in tools if "libx264" in span.name)
    found = attributes(encoder)
    assert found["process.exit.code"] == 0
    assert found["rushes.frames"] == 60
    assert found["rushes.cpu_seconds"] > 0
    stores = [span for span in spans if span.name.startswith("store ")]
    assert {by_id[span.parent_span_id.hex()].name for span in stores} <= keys
    assert sum(attributes(span)["rushes.store.bytes"] for span in stores if span.name == "store put") > 1000
    # The webhook: below the whole, and its receiver was told which span called it
    received = {caller_of(got.headers.get("traceparent", "")) for got in ear.got if got.path == "/hook"}
    hooked = {(span.trace_id.hex(), span.span_id.hex()) for span in spans if span.name.startswith("webhook ")}
    assert received == hooked
    assert {by_id[span].parent_span_id.hex() for _, span in hooked} == {root_span(asset)}
    # Nothing that is nobody's business
    assert not any(secret in got.body for got in ear.got for secret in (b"never-tell", b"clip.mkv", bytes(tmp_path)))
