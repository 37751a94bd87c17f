import pytest
from starlette.datastructures import Headers

from rushes.api.negotiation import Wanted, accepts_gzip, matches


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
        ('"a-gzip"', False),
        ("", False),
        (None, False),
    ],
)
def test_if_none_match(header: str | None, answer: bool) -> None:
    assert matches(header, '"a"') is answer


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("gzip; q=1.0, *;q=0", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0", False),
        ("gzip;q=much", False),
        ("identity", False),
        ("*", False),
        ("", False),
    ],
)
def test_accepts_gzip(header: str, answer: bool) -> None:
    assert accepts_gzip(header) is answer


def test_a_range_is_wanted_as_it_is_stored() -> None:
    headers = Headers({"Range": "bytes=0-1", "Accept-Encoding": "gzip"})
    assert Wanted.of("GET", headers) == Wanted("GET", "bytes=0-1", gzip=False)
    assert Wanted.of("HEAD", headers) == Wanted("HEAD", None, gzip=True)


def test_if_range_of_another_version_makes_the_whole_due() -> None:
    assert Wanted(range="bytes=0-1").range_for('"a"') == "bytes=0-1"
    assert Wanted(range="bytes=0-1", if_range='"a"').range_for('"a"') == "bytes=0-1"
    assert Wanted(range="bytes=0-1", if_range='"b"').range_for('"a"') is None
    assert Wanted(range="bytes=0-1", if_range='W/"a"').range_for('"a"') is None
