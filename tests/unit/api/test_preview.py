import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.api.preview import LIFETIME, expiry, sign, verify
from rushes.keys import new_id

SECRET = b"a secret of the house"
ASSET = new_id(1_750_000_000.0, 7)
NOW = 1_750_000_000.0


def test_a_token_names_its_asset_until_it_ends() -> None:
    token = sign(SECRET, ASSET, int(NOW) + 60)
    assert verify(SECRET, token, NOW) == ASSET
    assert verify(SECRET, token, NOW + 59.9) == ASSET
    assert verify(SECRET, token, NOW + 60) is None


def test_another_secret_does_not_open_it() -> None:
    assert verify(b"another", sign(SECRET, ASSET, int(NOW) + 60), NOW) is None


def test_neither_asset_nor_end_can_be_changed() -> None:
    asset, expires, mac = sign(SECRET, ASSET, int(NOW) + 60).split(".")
    other = new_id(NOW, 8)
    assert verify(SECRET, f"{other}.{expires}.{mac}", NOW) is None
    assert verify(SECRET, f"{asset}.{int(expires) + 1}.{mac}", NOW) is None
    assert verify(SECRET, f"{asset}.0{expires}.{mac}", NOW) is None


@pytest.mark.parametrize(
    "token",
    ["", "..", "a.b.c", f"{ASSET}.1.", f"{ASSET}.¹.x", f"{ASSET}.999999999999999999999.x", "é.1.x", f"{ASSET}.1.é"],
)
def test_garbage_is_refused(token: str) -> None:
    assert verify(SECRET, token, 0) is None


@given(st.text(max_size=120))
def test_no_text_breaks_it(token: str) -> None:
    assert verify(SECRET, token, NOW) is None


@given(st.integers(min_value=0, max_value=4_000_000_000))
def test_a_token_lives_one_to_two_lifetimes(now: int) -> None:
    assert LIFETIME < expiry(now) - now <= 2 * LIFETIME


def test_tokens_of_one_hour_are_the_same() -> None:
    hour = NOW - NOW % LIFETIME
    assert expiry(hour) == expiry(hour + LIFETIME - 0.001) != expiry(hour + LIFETIME)
