import json
import logging
from typing import Any

import pytest
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from rushes.api.gate import Gate, asset_in, request_id, secure
from rushes.api.signed import sign
from rushes.clock import ManualClock
from rushes.keys import new_id

ASSET = new_id(1_750_000_000.0, 3)


class Recorded:
    def __init__(self) -> None:
        self.rows: list[tuple[str, str, int, float]] = []

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        self.rows.append((method, route, status, seconds))


async def pass_through(
    app: Any, path: str = "/x", headers: list[tuple[bytes, bytes]] | None = None
) -> tuple[list[Message], Recorded]:
    sent: list[Message] = []
    recorded = Recorded()

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": headers or []}
    await Gate(app, ManualClock(), recorded)(scope, receive, send)  # type: ignore[arg-type]
    return sent, recorded


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the password is hunter2")


async def broken_late(scope: Scope, receive: Receive, send: Send) -> None:
    await fine(scope, receive, send)
    raise RuntimeError("too late")


async def informing(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.informational", "status": 104})
    await fine(scope, receive, send)


def header(message: Message, name: str) -> str | None:
    return Headers(raw=message["headers"]).get(name)


@pytest.mark.parametrize(
    ("path", "asset"),
    [
        (f"/media/{ASSET}/master.m3u8", ASSET),
        (f"/v1/assets/{ASSET}", ASSET),
        (f"/v1/assets/{ASSET}/events", ASSET),
        (f"/watch/{ASSET}", ASSET),
        (f"/files/{ASSET}", None),
        ("/media/nonsense/x", None),
        ("/v1/assets", None),
    ],
)
def test_asset_in(path: str, asset: str | None) -> None:
    assert asset_in(path) == asset


def test_a_callers_request_id_is_kept_if_it_looks_like_one() -> None:
    assert request_id(Headers({"X-Request-ID": "abc-12345"})) == "abc-12345"
    for bad in ("", "short", "x" * 65, "with space here", "line\\nbreak"):
        assert request_id(Headers({"X-Request-ID": bad})) != bad
    assert request_id(Headers({})) != request_id(Headers({}))


def test_security_headers_do_not_overrule_a_route() -> None:
    headers = MutableHeaders({"content-type": "text/html; charset=utf-8", "referrer-policy": "no-referrer"})
    secure(headers)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["referrer-policy"] == "no-referrer"
    assert "content-security-policy" not in headers


async def test_every_answer_has_the_request_id_and_is_counted() -> None:
    sent, recorded = await pass_through(fine, headers=[(b"x-request-id", b"from-outside")])
    assert header(sent[0], "x-request-id") == "from-outside"
    assert header(sent[0], "content-security-policy") == "default-src 'none'; frame-ancestors 'none'"
    assert recorded.rows == [("GET", "other", 200, 0.0)]


async def test_an_unexpected_error_is_a_problem_that_gives_nothing_away(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "rushes")
    sent, recorded = await pass_through(broken, f"/media/{ASSET}/x")
    # Then the client learns the request id and nothing else
    body = json.loads(sent[1]["body"])
    assert sent[0]["status"] == body["status"] == 500
    assert body["code"] == "internal"
    assert body["request_id"] == header(sent[0], "x-request-id")
    assert header(sent[0], "content-type") == "application/problem+json"
    assert b"hunter2" not in sent[1]["body"]
    # And the log has the cause, under the same id and with the asset
    logged = next(record for record in caplog.records if record.exc_info)
    assert (logged.request, logged.asset) == (body["request_id"], ASSET)  # type: ignore[attr-defined]
    assert recorded.rows[0][2] == 500


async def test_an_error_after_the_answer_began_breaks_the_connection() -> None:
    with pytest.raises(RuntimeError):
        await pass_through(broken_late)


async def test_informational_answers_pass_untouched() -> None:
    sent, recorded = await pass_through(informing)
    assert sent[0] == {"type": "http.response.informational", "status": 104}
    assert recorded.rows[0][2] == 200


async def test_the_access_log_names_the_asset_and_hides_tokens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "rushes.access")
    await pass_through(fine, f"/media/{ASSET}/a\nb")
    await pass_through(fine, "/preview/secret.token.here/b/1/master.m3u8")
    first, second = caplog.records
    assert first.asset == ASSET  # type: ignore[attr-defined]
    assert "\n" not in first.getMessage()
    assert "secret" not in second.getMessage() + str(vars(second)["path"])
    assert second.getMessage().startswith("GET /preview/***/b/1/master.m3u8 200 ")


@pytest.mark.parametrize(
    "path", ["//signed/{}/media/x", "/v1/playback/{}", "/media/a/../signed/{}", "/x-{}/y", "/x.{}"]
)
async def test_a_token_astray_is_not_in_the_log(path: str, caplog: pytest.LogCaptureFixture) -> None:
    token = sign(b"a secret of these tests", ASSET, 1_750_000_060)
    with caplog.at_level(logging.INFO, "rushes.access"):
        await pass_through(fine, path.format(token))
    (line,) = caplog.records
    said = str(vars(line)["path"])
    assert token not in line.getMessage() + said
    assert "***" in said
