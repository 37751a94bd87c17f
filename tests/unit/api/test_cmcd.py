from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from rushes.api import cmsd
from rushes.api.cmcd import MOST, Report, of_request, parse
from rushes.api.player_metrics import PlayerMetrics

SAID = 'bl=21300,br=3200,bs,cid="faec5fc2-ac30-11ea",d=4004,dl=18500,mtp=25400,ot=v,pr=1.08,sf=h,sid="6e2fb550",st=v,su,tb=6000'


def test_what_a_player_says() -> None:
    assert parse(SAID) == {
        "bl": 21300, "br": 3200, "bs": True, "cid": "faec5fc2-ac30-11ea", "d": 4004, "dl": 18500, "mtp": 25400, "ot": "v",
        "pr": 1.08, "sf": "h", "sid": "6e2fb550", "st": "v", "su": True, "tb": 6000,
    }  # fmt: skip


def test_query_and_headers_say_the_same() -> None:
    query = f"x=1&CMCD={quote(SAID)}&y=2".encode()
    assert of_request(query, []) == of_request(b"", [b"bl=21300,d=4004", SAID.encode()]) == parse(SAID)
    assert of_request(b"cmcd=bs", []) == of_request(b"", []) == {}


@pytest.mark.parametrize(
    ("text", "report"),
    [
        ("", {}), (",,,", {}), ("=1", {}), ("bl", {}), ("bl=", {}), ("bl=-1", {}), ("bl=1e9", {}), ("bl=" + "9" * 10, {}),
        ("bl=٣", {}), ("bs=false", {}), ("bs=1", {}), ("ot=vv1", {}), ('ot="v"', {}), ("sid=bare", {}),
        ('sid="a\\"b"', {"sid": 'a"b'}),
        ('sid="' + "x" * 65 + '"', {}), ('sid="new\nline"', {}), ('sid="end\n"', {}),
        ('sid="open', {}), ("com.example-x=1,bl=5", {"bl": 5}),
        ("bl=1, bs", {"bl": 1, "bs": True}), ("pr=100.5", {}), ("nor=%2e%2e%2fetc", {}), ("bl=1,bl=2", {"bl": 2}),
        ("bl=1;drop,bs", {"bs": True}),
    ],
)  # fmt: skip
def test_only_what_has_the_form_of_the_standard_is_kept(text: str, report: Report) -> None:
    assert parse(text) == report


@given(st.text(max_size=300), st.binary(max_size=300))
def test_strangers_may_say_anything(text: str, data: bytes) -> None:
    for report in (parse(text), of_request(b"CMCD=" + data, []), of_request(data, [data])):
        assert all(isinstance(value, int | float | str) for value in report.values())


def test_it_is_bounded() -> None:
    assert parse("x=1," * (MOST // 4) + "bs") == {}
    assert parse("x=1," * 40 + "bs") == {}


def test_numbers_without_labels() -> None:
    registry = CollectorRegistry()
    metrics = PlayerMetrics(registry)
    metrics.heard(parse(SAID))
    metrics.heard({})
    text = generate_latest(registry).decode()
    assert "rushes_player_reports_total 2.0" in text
    assert "rushes_player_rebuffered_total 1.0" in text
    assert 'rushes_player_throughput_kbps_bucket{le="32000.0"} 1.0' in text
    assert 'rushes_player_buffer_seconds_bucket{le="15.0"} 0.0' in text
    assert "faec5fc2" not in text


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("media/a/master.m3u8", "ot=m,sf=h,st=v"),
        ("media/a/manifest.mpd", "ot=m,sf=d,st=v"),
        ("media/a/t/r/1/720p/init.mp4", "ot=i,st=v"),
        ("media/a/t/r/1/720p/00001.m4s", "ot=v,st=v"),
        ("media/a/t/r/1/audio-en/00001.m4s", "ot=a,st=v"),
        ("media/a/t/r/1/captions-en/00001.m4s", "ot=c,st=v"),
        ("artifacts/a/r/1/poster.jpg", "ot=o"),
        ("artifacts/a/r/1/download.mp4", "ot=av,st=v"),
    ],
)
def test_what_we_say_of_an_object(key: str, said: str) -> None:
    assert cmsd.static(key) == f'{said},n="rushes"'


def test_what_we_say_of_an_answer() -> None:
    assert cmsd.dynamic(0.0126) == '"rushes";rd=13'
    assert cmsd.dynamic(-1) == '"rushes";rd=0'
