import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.api.playback_secret import playback_secrets
from rushes.api.signed import COOKIE, admitted, from_cookies, sign, verify
from rushes.keys import new_id
from rushes.settings import Settings, SettingsError

NOW = 1_750_000_000.0
ASSET, OTHER = new_id(NOW, 1), new_id(NOW, 2)
FIRST, SECOND = b"a secret of thirty-two characters", b"another one, as long as the first"
TOKEN = sign(FIRST, ASSET, int(NOW) + 60)


def test_the_form_is_the_documented_one() -> None:
    expires = int(NOW) + 60
    mac = hmac.new(FIRST, f"rushes.playback.{ASSET}.{expires}".encode(), hashlib.sha256).digest()
    assert f"{ASSET}.{expires}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}" == TOKEN
    assert verify([FIRST], TOKEN, ASSET, NOW) == expires


def test_the_documented_code_makes_the_same() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/delivery.md").read_text(encoding="utf-8")
    code = page.partition("## Signed playback")[2].partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["token"](FIRST.decode(), ASSET, int(NOW) + 60) == TOKEN


def test_a_token_is_for_one_asset_and_ends() -> None:
    assert verify([FIRST], TOKEN, OTHER, NOW) is None
    assert verify([FIRST], TOKEN, ASSET, NOW + 59.9) is not None
    assert verify([FIRST], TOKEN, ASSET, NOW + 60) is None


def test_all_secrets_are_believed() -> None:
    assert verify([SECOND, FIRST], TOKEN, ASSET, NOW)
    assert verify([SECOND], TOKEN, ASSET, NOW) is None
    assert verify([], TOKEN, ASSET, NOW) is None


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "...", "x", TOKEN[:-1], TOKEN + "A", TOKEN.replace(".", ".0", 1), TOKEN.replace(ASSET, OTHER), TOKEN + "=",
        TOKEN.upper(), TOKEN.replace(".17", ".+17"), TOKEN.replace("17", "١٧"), f" {TOKEN}", "x" * 100_000, TOKEN + "é",
        f"{ASSET}..", f"{ASSET}.{10**13}.x",
    ],
)  # fmt: skip
def test_what_is_no_token(token: str) -> None:
    assert verify([FIRST], token, ASSET, NOW) is None


@given(st.text(max_size=120))
def test_no_text_is_a_token_or_an_error(text: str) -> None:
    assert verify([FIRST], text, ASSET, NOW) is None
    assert admitted([FIRST], f"{COOKIE}={text}", ASSET, NOW) is None


def test_one_changed_letter_is_one_too_many() -> None:
    for place in range(len(TOKEN)):
        changed = TOKEN[:place] + ("b" if TOKEN[place] != "b" else "c") + TOKEN[place + 1 :]
        assert verify([FIRST], changed, ASSET, NOW) is None


def test_cookies_of_several_assets() -> None:
    mine, longer, others = TOKEN, sign(FIRST, ASSET, int(NOW) + 90), sign(FIRST, OTHER, int(NOW) + 99)
    header = f"a=b; {COOKIE}={others}; {COOKIE}={mine};{COOKIE}={longer}; other-{COOKIE}=x"
    assert list(from_cookies(header)) == [others, mine, longer]
    assert admitted([FIRST], header, ASSET, NOW) == int(NOW) + 90
    assert admitted([FIRST], f"{COOKIE}={others}", ASSET, NOW) is None
    assert len(list(from_cookies(f"{COOKIE}=x;" * 1000))) == 8


def test_where_the_secrets_come_from() -> None:
    two = ("x" * 32, "y" * 40)
    assert playback_secrets(Settings(playback_secret=f" {two[0]}, {two[1]},"), b"p") == tuple(
        one.encode() for one in two
    )
    # Without a setting: made of the preview's, which a fleet shares, and another than that
    made = playback_secrets(Settings(), b"p")
    assert made == playback_secrets(Settings(), b"p") != playback_secrets(Settings(), b"q")
    assert len(made) == 1
    assert len(made[0]) == 64
    with pytest.raises(SettingsError, match="32 characters"):
        playback_secrets(Settings(playback_secret="short"), b"p")
