from types import SimpleNamespace

import pytest
from fastapi import Request

from rushes.api.auth import (
    Keys,
    NotAllowed,
    Unauthorized,
    caller_of,
    is_loopback,
    operator_of,
    operator_only,
    tenant_of,
)
from rushes.settings import Settings, SettingsError

WITH_KEYS = Settings(auth="keys", api_keys="ann:0123456789abcdef,bob:fedcba9876543210")
OPEN = Settings(auth="off", public_url="https://video.example.com")


def request(
    settings: Settings, headers: dict[str, str] | None = None, method: str = "GET", client: str = "127.0.0.1"
) -> Request:
    state = SimpleNamespace(services=SimpleNamespace(settings=settings), keys=Keys.of(settings))
    given = {"host": "127.0.0.1:8000", **(headers or {})}
    return Request(
        {
            "type": "http",
            "method": method,
            "path": "/",
            "scheme": "http",
            "query_string": b"",
            "server": ("127.0.0.1", 8000),
            "client": (client, 4000),
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
            "app": SimpleNamespace(state=state),
        }
    )


def test_the_key_decides_the_tenant() -> None:
    assert tenant_of(request(WITH_KEYS, {"Authorization": "Bearer 0123456789abcdef"})) == "ann"
    assert tenant_of(request(WITH_KEYS, {"Authorization": "bearer  fedcba9876543210 "})) == "bob"


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Bearer 0123456789abcdeX", "Basic 0123456789abcdef", "0123456789abcdef", "Bearer é"],
)
def test_no_key_no_answer(value: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        tenant_of(request(WITH_KEYS, {"Authorization": value} if value else {}))
    assert refused.value.status == 401
    assert "0123456789" not in str(refused.value)


def test_an_operator_is_told_that_this_takes_a_tenants_key() -> None:
    """And not that the key is wrong, which it is not."""
    settings = Settings(auth="keys", api_keys="ann:0123456789abcdef", operator_keys="an operator's own key")
    with pytest.raises(Unauthorized, match="key of the tenant"):
        tenant_of(request(settings, {"Authorization": "Bearer an operator's own key"}))


def test_without_keys_everybody_on_loopback_is_the_default_tenant() -> None:
    for host in ("127.0.0.1:8000", "localhost:8000", "[::1]:8000", "app.localhost", "video.example.com"):
        assert tenant_of(request(OPEN, {"host": host})) == "default"


def test_a_foreign_name_that_leads_to_us_is_refused() -> None:
    with pytest.raises(NotAllowed) as refused:
        tenant_of(request(OPEN, {"host": "evil.example:8000"}))
    assert refused.value.code == "host_not_allowed"


def test_changes_from_foreign_pages_are_refused_without_keys() -> None:
    foreign = {"Origin": "https://evil.example"}
    with pytest.raises(NotAllowed) as refused:
        tenant_of(request(OPEN, foreign, "POST"))
    assert refused.value.code == "cross_site"
    with pytest.raises(NotAllowed):
        tenant_of(request(OPEN, {"Origin": "null"}, "DELETE"))
    # Reading is kept from foreign pages by browsers: no CORS header lets them see the answer
    assert tenant_of(request(OPEN, foreign, "GET")) == "default"


@pytest.mark.parametrize("origin", ["null", "http://[", "nonsense", "http://"])
def test_changes_from_pages_without_a_name_are_refused_without_a_public_url_too(origin: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        tenant_of(request(Settings(auth="off"), {"Origin": origin}, "POST"))
    assert refused.value.code == "cross_site"


def test_changes_from_our_own_pages_are_taken() -> None:
    for origin in ("http://127.0.0.1:8000", "http://localhost:5173", "https://video.example.com"):
        assert tenant_of(request(OPEN, {"Origin": origin}, "POST")) == "default"


def test_metrics_are_for_loopback_or_a_key() -> None:
    key = {"Authorization": "Bearer 0123456789abcdef"}
    operator_only(request(OPEN))
    operator_only(request(WITH_KEYS))
    operator_only(request(WITH_KEYS, key, client="10.0.0.9"))
    with pytest.raises(Unauthorized):
        operator_only(request(WITH_KEYS, client="10.0.0.9"))
    with pytest.raises(NotAllowed):
        operator_only(request(OPEN, client="10.0.0.9"))


def test_a_proxy_on_this_machine_does_not_open_the_metrics() -> None:
    with pytest.raises(Unauthorized):
        operator_only(request(WITH_KEYS, {"X-Forwarded-For": "127.0.0.1"}))


def test_is_loopback() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("[::1]")
    assert not is_loopback("10.0.0.1")
    assert not is_loopback("localhost.evil.example")


WITH_OPERATORS = Settings(
    auth="keys", api_keys="ann:0123456789abcdef", operator_keys="operator-0123456789, operator-9876543210"
)


def test_an_operators_key_is_no_tenants() -> None:
    boss = request(WITH_OPERATORS, {"Authorization": "Bearer operator-9876543210"})
    assert (caller_of(boss).tenant, caller_of(boss).is_operator) == (None, True)
    assert operator_of(boss).is_operator
    with pytest.raises(Unauthorized):
        tenant_of(boss)
    assert Keys.of(WITH_OPERATORS).is_operators("operator-0123456789")


def test_a_tenants_key_is_no_operators() -> None:
    ann = request(WITH_OPERATORS, {"Authorization": "Bearer 0123456789abcdef"})
    assert (caller_of(ann).tenant, caller_of(ann).is_operator) == ("ann", False)
    with pytest.raises(NotAllowed) as refused:
        operator_of(ann)
    assert refused.value.code == "operator_only"


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Bearer operator-987654321", "Basic operator-9876543210"])
def test_no_key_is_neither(value: str) -> None:
    with pytest.raises(Unauthorized):
        operator_of(request(WITH_OPERATORS, {"Authorization": value} if value else {}))


def test_loopback_is_no_key_where_there_are_keys() -> None:
    with pytest.raises(Unauthorized):
        operator_of(request(WITH_OPERATORS, client="127.0.0.1"))


def test_numbers_are_shown_to_operators() -> None:
    operator_only(request(WITH_OPERATORS, {"Authorization": "Bearer operator-9876543210"}, client="192.0.2.1"))


def test_a_short_operators_key_is_refused() -> None:
    with pytest.raises(SettingsError, match="RUSHES_OPERATOR_KEYS"):
        _ = Settings(operator_keys="short").operators
