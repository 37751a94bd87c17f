from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, hmac

from rushes.engine.job import ToolSettings
from rushes.errors import Blame, StepFailure
from rushes.key_servers import HttpKeys, KeptKeys, key_server
from rushes.media_keys import DerivedKeys, MediaKey
from rushes.settings import Settings, SettingsError

SECRET = b"a secret of the right length, or longer"
KEY = MediaKey(kid="0a" * 16, key="1b" * 16, iv="2c" * 16)


def mac(key: bytes, text: bytes) -> bytes:
    made = hmac.HMAC(key, hashes.SHA256())
    made.update(text)
    return made.finalize()


def test_keys_are_derived_as_rfc_5869_says() -> None:
    found = DerivedKeys(SECRET).key("asset", 3)
    extracted = mac(bytes(32), SECRET)
    for name in ("kid", "key", "iv"):
        assert getattr(found, name) == mac(extracted, f"rushes.media.{name}.asset.3".encode() + b"\x01")[:16].hex()


def test_each_asset_version_and_secret_has_keys_of_its_own() -> None:
    keys = [
        DerivedKeys(secret).key(asset, version)
        for secret in (SECRET, SECRET + b".")
        for asset in ("a", "b")
        for version in (1, 2)
    ]
    assert len({text for key in keys for text in (key.kid, key.key, key.iv)}) == 24


def test_no_key_shows_where_things_are_printed() -> None:
    tools = ToolSettings(key=KEY)
    assert KEY.key not in f"{KEY!r} {KEY} {tools!r} {tools}"
    assert SECRET.decode() not in repr(DerivedKeys(SECRET))


def served(answer: Callable[[httpx.Request], httpx.Response]) -> HttpKeys:
    return HttpKeys("https://keys.example/media?x=1", "who we are", httpx.MockTransport(answer))


def test_a_key_server_is_asked_by_asset_and_version() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={**KEY.model_dump(), "kid": KEY.kid.upper()})

    assert served(answer).key("asset", 3) == KEY
    assert dict(seen[0].url.params)["asset"] == "asset"
    assert dict(seen[0].url.params)["version"] == "3"
    assert seen[0].headers["authorization"] == "Bearer who we are"


@pytest.mark.parametrize(
    ("status", "code", "blame"),
    [
        (500, "key_server_unavailable", Blame.TRANSIENT),
        (503, "key_server_unavailable", Blame.TRANSIENT),
        (429, "key_server_unavailable", Blame.TRANSIENT),
        (403, "key_server_refused", Blame.PERMANENT),
        (302, "key_server_refused", Blame.PERMANENT),
    ],
)
def test_what_is_no_key_is_told_by_its_class(status: int, code: str, blame: Blame) -> None:
    with pytest.raises(StepFailure) as failure:
        served(lambda _: httpx.Response(status, text=KEY.key)).key("asset", 1)
    assert (failure.value.code, failure.value.blame) == (code, blame)
    assert KEY.key not in failure.value.detail


@pytest.mark.parametrize(
    "body", ["", "[]", f'{{"key": "{KEY.key}"}}', '{"kid": "1", "key": "2", "iv": "3"}', "x" * 70_000]
)
def test_an_answer_that_is_no_key_is_refused_without_a_word_of_it(body: str) -> None:
    with pytest.raises(StepFailure) as failure:
        served(lambda _: httpx.Response(200, text=body)).key("asset", 1)
    assert failure.value.code == "key_server_refused"
    assert KEY.key not in f"{failure.value} {failure.value.detail} {failure.value.__cause__}"


def test_a_key_server_that_is_away_is_asked_again_later() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("no", request=request)

    with pytest.raises(StepFailure) as failure:
        served(away).key("asset", 1)
    assert (failure.value.code, failure.value.blame) == ("key_server_unavailable", Blame.TRANSIENT)


def test_which_key_server_there_is(tmp_path: Path) -> None:
    assert isinstance(key_server(Settings(data=tmp_path, key_server_url="https://keys.example")), HttpKeys)
    assert key_server(Settings(data=tmp_path, key_secret=SECRET.decode())) == DerivedKeys(SECRET)
    assert key_server(Settings(data=tmp_path, database_url="postgresql://a@b/c")) is None
    with pytest.raises(SettingsError):
        key_server(Settings(data=tmp_path, key_secret="short"))
    with pytest.raises(SettingsError):
        key_server(Settings(data=tmp_path, key_server_url="ftp://keys.example"))


def test_the_embedded_stack_keeps_a_secret_of_its_own(tmp_path: Path) -> None:
    first, second = (key_server(Settings(data=tmp_path)) for _ in range(2))
    assert isinstance(first, KeptKeys)
    assert second is not None
    assert list(tmp_path.iterdir()) == []
    assert first.key("a", 1) == second.key("a", 1)
    assert (tmp_path / "key-secret").stat().st_mode & 0o777 == 0o600


def test_the_same_question_is_asked_once() -> None:
    # Given a key server that counts
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if len(asked) == 1:
            return httpx.Response(503)
        return httpx.Response(200, json={"kid": "0" * 32, "key": f"{len(asked):032x}", "iv": "2" * 32})

    keys = served(answer)
    # When it fails once, and is then asked twice for one version and once for the next
    with pytest.raises(StepFailure):
        keys.key("a", 1)
    first, again, other = keys.key("a", 1), keys.key("a", 1), keys.key("a", 2)
    # Then failures are not remembered, and keys are
    assert (first, len(asked)) == (again, 3)
    assert other != first
