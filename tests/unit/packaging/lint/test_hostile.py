"""Whatever a stream is made of, the checker says sentences about it: no exception, no endless work, nothing read elsewhere."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from rushes.packaging.lint import gather as gather_module
from rushes.packaging.lint import m3u8, mpd, numbers
from rushes.packaging.lint.boxes import read_fragment_of, read_index, read_init, read_jpeg
from rushes.packaging.lint.check import check
from rushes.packaging.lint.gather import DEEP, gather
from rushes.packaging.lint.reach import FolderReach, Reach, Unreachable
from rushes.packaging.lint.report import certificate, report, rows, summary
from rushes.packaging.lint.stream import Ref, Stream
from tests.unit.packaging.lint.conftest import BUILD, Good

BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period>&c;</Period></MPD>"""
MANIFESTS = [
    b"",
    b"\xff\xfe\x00#\x00E",
    b"#EXTM3U\n#EXTINF:1e999999999,\nx\n",
    b"#EXTM3U\n#EXTINF:" + b"9" * 5000 + b",\nx\n",
    b"#EXTM3U\n#EXT-X-TARGETDURATION:" + b"9" * 5000 + b"\n",
    b"#EXTM3U\n#EXT-X-BYTERANGE:-5@-9\n#EXTINF:1,\nx\n",
    b'#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH="' + b"x=" * 5000 + b"\nx\n",
    b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmaster.m3u8\n",
    b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n../../../../etc/passwd\n",
    b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://[bad\n",
    b"#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO\n#EXT-X-MEDIA:URI=\n",
    b"#EXTM3U\n#EXT-X-MAP:URI=\"a\",BYTERANGE=\"9@x\"\n#EXTINF:1,\nfile:///etc/passwd\n",
    b"#EXTM3U\n" + b"#EXTINF:0,\nx\n" * 300,
    b"<MPD",
    b"<a/>",
    BOMB.encode(),
    b"<MPD>" + b"<Period>" * 5000,
    b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" minBufferTime="P9999Y" mediaPresentationDuration="PT-1S"/>',
    b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="0">'
    b'<SegmentTemplate timescale="0" media="$Number%099999d$"><SegmentTimeline><S d="0" r="99999999999"/><S d="1" r="-1"/>'
    b"</SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period></MPD>",
    b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT9999999999S"><Period><AdaptationSet><Representation>'
    b'<SegmentTemplate duration="1" timescale="1000000" media="$Time$"/></Representation></AdaptationSet></Period></MPD>',
    b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet><Representation><BaseURL>http://[</BaseURL>'
    b'<SegmentBase indexRange="9-1"/></Representation></AdaptationSet></Period></MPD>',
]  # fmt: skip


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower bounds, so that reaching them does not take long."""
    monkeypatch.setattr(mpd, "MOST_PIECES", 1000)
    monkeypatch.setattr(gather_module, "MOST_PLAYLISTS", 20)


def says(stream: Stream) -> None:
    found = report(stream)
    assert summary(found) and list(rows(found)) is not None and certificate(found, "x")["version"] == 1


@pytest.mark.parametrize("number", range(len(MANIFESTS)))
def test_hostile_manifests_are_told_of(number: int, tmp_path: Path) -> None:
    name = "manifest.mpd" if MANIFESTS[number][:1] == b"<" else "master.m3u8"
    (tmp_path / name).write_bytes(MANIFESTS[number])
    says(gather([(tmp_path / name).as_uri()], FolderReach(tmp_path)))
    assert check(str(tmp_path)).failed() != []


def test_entities_are_not_expanded() -> None:
    found = mpd.parse("file:///m.mpd", "m.mpd", BOMB.encode())
    assert found.flaws and not found.sets


def test_nothing_outside_of_the_directory_is_read(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "secret.m3u8").write_text("#EXTM3U\n")
    (inside / "master.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n../secret.m3u8\n")
    (inside / "link.m3u8").symlink_to(tmp_path / "secret.m3u8")
    reach: Reach = FolderReach(inside)
    for name in ("../secret.m3u8", "link.m3u8"):
        with pytest.raises(Unreachable):
            reach.read((inside / name).as_uri())
    assert "hls.reachable" in [one.rule.identifier for one in check(str(inside)).failed()]


@pytest.mark.parametrize("seed", range(30))
def test_damaged_bytes_are_told_of(seed: int, stream: Good) -> None:
    chance = random.Random(seed)
    keys = [found.key for found in stream.store.list("media/")]
    for key in chance.sample(keys, 12):
        data = bytearray(stream.store.read(key))
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(min(len(data), 900))] = chance.randrange(256)
        stream.store.put_bytes(key, bytes(data[: chance.choice([len(data), len(data) // 2])]))
    assert stream.check().outcomes


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_box(seed: int) -> None:
    chance = random.Random(seed)
    data = chance.randbytes(chance.randint(0, 400))
    for head in (b"", b"\0\0\0\x20ftypiso6", b"\0\0\0\x40moov", b"\0\0\0\x40moof", b"\0\0\0\x40sidx", b"\xff\xd8\xff"):
        ref, whole = Ref("x"), head + data
        read_init(ref, whole)
        read_index(ref, whole)
        read_jpeg(whole)
        read_fragment_of(ref, lambda start, length, whole=whole: whole[start : start + length], len(whole), {})


def test_more_playlists_than_anybody_needs_are_left_out(tmp_path: Path) -> None:
    lines = "".join(f"#EXT-X-STREAM-INF:BANDWIDTH=1\n{number}.m3u8\n" for number in range(50))
    (tmp_path / "master.m3u8").write_text(f"#EXTM3U\n{lines}")
    assert any("50 playlists" in note for note in check(str(tmp_path)).notes)


def test_a_stream_without_a_manifest_is_none(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        check(str(tmp_path))
    with pytest.raises(Unreachable):
        check(str(tmp_path / "gone"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("avc1.64001f", "avc1.64001F", True),
        ("avc1.64001f", "avc1.640020", False),
        ("hvc1.2.4.L93.B0", "hvc1.2.4.L93", True),
        ("hvc1.2.4.L93.90", "hvc1.2.4.L93.B0", False),
        ("hvc1.2.4.L93", "hev1.2.4.L93", False),
        ("av01.0.05M.08", "av01.0.05M.08.0.110.01.01.01.0", True),
        ("av01.0.05M.08", "av01.0.05M.10", False),
        ("mp4a.40.2", "mp4a.40.5", True),
        ("mp4a.40.2", "mp4a.69", False),
        ("opus", "Opus", True),
    ],
)
def test_codecs_are_the_same_where_they_mean_the_same(one: str, other: str, same: bool) -> None:
    assert numbers.same_codec(one, other) is numbers.same_codec(other, one) is same


@pytest.mark.parametrize(("tag", "good"), [
    ("en", True), ("pt-BR", True), ("zh-Hant-TW", True), ("x-klingon", True), ("sl-rozaj", True), ("german", True),
    ("english", True), ("de_DE", False), ("", False), ("e", False), ("german!", False), ("und", True), ("en-", False),
])  # fmt: skip
def test_languages(tag: str, good: bool) -> None:
    assert numbers.is_language(tag) is good


def test_attributes_with_commas_in_quotes() -> None:
    found, doubles, whole = m3u8.attributes('CODECS="a,b",BANDWIDTH=1,NAME="x=y",BANDWIDTH=2')
    assert (found, doubles, whole) == ({"CODECS": '"a,b"', "BANDWIDTH": "1", "NAME": '"x=y"'}, ("BANDWIDTH",), True)


def test_a_build_in_a_tree_of_ours_is_checked_where_it_lies(stream: Good, tmp_path: Path) -> None:
    for found in stream.store.list("media/"):
        path = tmp_path / found.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stream.store.read(found.key))
    assert check(str(tmp_path / BUILD)).failed() == check(str(tmp_path / BUILD), DEEP).failed() == []


def test_a_segment_of_nothing_but_empty_boxes_is_not_read_to_its_end() -> None:
    asked: list[int] = []

    def fetch(start: int, length: int) -> bytes:
        asked.append(start)
        return (b"\0\0\0\x08free" * (length // 8 + 2))[:length]

    found = read_fragment_of(Ref("https://x.test/1.m4s"), fetch, 10**15, {})
    assert "boxes" in found.error and len(asked) < 5000
