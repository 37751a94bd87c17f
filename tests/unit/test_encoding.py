"""Options of the command line, and the commands about encodes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from rushes.cli import app
from rushes.encoding import parse_clip, said_of
from rushes.options import Clip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("1.5-4", Clip(start=1.5, end=4)),
        ("2-", Clip(start=2)),
        ("-4", Clip(end=4)),
        ("0-0.5", Clip(end=0.5)),
    ],
)
def test_a_clip_on_the_command_line(text: str, expected: Clip | None) -> None:
    assert parse_clip(text) == expected


@pytest.mark.parametrize("text", ["4", "4-1", "a-b", "-", "1-2-3", "1_0-12", "1e1-12"])
def test_a_clip_that_is_none_is_said_so(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="--clip is START-END"):
        parse_clip(text)


def test_options_travel_as_metadata() -> None:
    assert said_of("quality", "1.5-4", "logo,size=0.2") == {
        "profile": "quality", "clip_start": "1.5", "clip_end": "4", "watermark": "logo,size=0.2",
    }  # fmt: skip
    assert said_of("", "", "") == {}
    assert said_of("", "1234.5678-345678.25", "") == {"clip_start": "1234.5678", "clip_end": "345678.25"}
    with pytest.raises(typer.BadParameter, match="A watermark is a name"):
        said_of("", "", "../x")


class Server:
    """What the client was asked to send."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls: list[tuple[Any, ...]] = []

    def call(self, method: str, path: str, *, body: Any = None, **_: Any) -> Any:
        self.calls.append((method, path, body))
        return self.answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    encode = {"number": 2, "profile": "quality@1", "state": "waiting", "requested_at": "2026-01-01T00:00:00Z"}
    found = Server({"id": "a1", "encodes": [encode], "name": "logo", "width": 6, "height": 3})
    monkeypatch.setattr("rushes.encoding.Client", lambda *_: found)
    return found


def test_encode_asks_for_another_profile(server: Server) -> None:
    done = CliRunner().invoke(app, ["encode", "a1", "--profile", "quality"])
    assert done.exit_code == 0
    assert server.calls == [("POST", "/v1/assets/a1/encodes", {"profile": "quality"})]
    assert "encode 2 by quality@1: waiting" in done.stderr


def test_encode_gives_one_up(server: Server) -> None:
    done = CliRunner().invoke(app, ["encode", "a1", "--cancel", "2", "--json"])
    assert server.calls == [("DELETE", "/v1/assets/a1/encodes/2", None)]
    assert json.loads(done.stdout)["id"] == "a1"


@pytest.mark.parametrize("rest", [[], ["--profile", "fast", "--cancel", "2"]])
def test_encode_wants_to_know_what(server: Server, rest: list[str]) -> None:
    assert CliRunner().invoke(app, ["encode", "a1", *rest]).exit_code == 2
    assert server.calls == []


def test_a_watermark_is_put_under_its_name(server: Server, tmp_path: Any) -> None:
    (tmp_path / "logo.png").write_bytes(b"png")
    done = CliRunner().invoke(app, ["watermarks", "put", "logo", str(tmp_path / "logo.png")])
    assert server.calls == [("PUT", "/v1/watermarks/logo", b"png")]
    assert done.stdout == "logo  6x3\n"
