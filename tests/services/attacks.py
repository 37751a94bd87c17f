"""Files that try to make a media tool open other files or connect somewhere. `build` writes them beside a bait."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

CANARY = b"CANARY-5d1f-do-not-read"


class Bait:
    """A file that nobody may open: inotify tells, whatever namespace the reader is in (inotify(7))."""

    _OPENED = 0x20  # IN_OPEN

    def __init__(self, *paths: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for path in paths:
            assert self._libc.inotify_add_watch(self._descriptor, str(path).encode(), self._OPENED) > 0, path

    def taken(self) -> bool:
        """Whether anybody opened one of them since the last question."""
        try:
            return bool(os.read(self._descriptor, 65536))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._descriptor)


@dataclass
class Listener:
    """Servers on loopback that count who connects; on these ports where they are free, and on one of their own."""

    ports: tuple[int, ...] = ()
    _connections: int = 0
    _sockets: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        for port in (0, *self.ports):
            try:
                server = socket.create_server(("127.0.0.1", port))
            except OSError:
                continue
            self._sockets.append(server)
            threading.Thread(target=self._serve, args=(server,), daemon=True).start()

    @property
    def port(self) -> int:
        found: int = self._sockets[0].getsockname()[1]
        return found

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            self._connections += 1  # before the other side can see that it is over
            connection.close()

    def reached(self) -> bool:
        """Whether anybody connected since the last question."""
        found, self._connections = self._connections, 0
        return found > 0

    def close(self) -> None:
        for server in self._sockets:
            server.close()


@dataclass(frozen=True)
class Target:
    """What the attacks aim at: a file, its name beside the upload, a port."""

    canary: Path
    port: int


SCRIPTS: dict[str, str] = {
    "ffconcat": "ffconcat version 1.0\nfile '{name}'\nfile '{canary}'\nfile 'http://127.0.0.1:{port}/a.ts'\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{name}\n#EXTINF:1,\nfile://{canary}\n#EXTINF:1,\n"
    "http://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
    "hls-key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="file://{canary}"\n#EXTINF:1,\n{name}\n#EXT-X-ENDLIST\n',
    "hls-map": '#EXTM3U\n#EXT-X-MAP:URI="file://{canary}"\n#EXTINF:1,\n{name}\n#EXT-X-ENDLIST\n',
    "hls-concat": "#EXTM3U\n#EXTINF:1,\nconcat:{canary}|http://127.0.0.1:{port}/x\n#EXT-X-ENDLIST\n",
    "hls-variant": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://127.0.0.1:{port}/a.m3u8\n",
    "hls-bom": "\ufeff#EXTM3U\n#EXTINF:1,\n{name}\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S">'
    "<Period><AdaptationSet><Representation id='1' bandwidth='1'><BaseURL>{canary}</BaseURL></Representation>"
    "</AdaptationSet></Period><Location>http://127.0.0.1:{port}/m.mpd</Location></MPD>",
    "dash-entity": '<?xml version="1.0"?><!DOCTYPE MPD [<!ENTITY x SYSTEM "file://{canary}">]><MPD>&x;</MPD>',
    "smil": '<smil><body><video src="http://127.0.0.1:{port}/"/><video src="{canary}"/></body></smil>',
    "asx": '<asx version="3.0"><entry><ref href="http://127.0.0.1:{port}/"/></entry></asx>',
    "imf": '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">'
    "<Asset>{canary}</Asset></CompositionPlaylist>",
    "xspf": '<?xml version="1.0"?><playlist><trackList><track><location>{canary}</location></track></trackList></playlist>',
    "pls": "[playlist]\nFile1=http://127.0.0.1:{port}/\nFile2={canary}\n",
    "ram": "rtsp://127.0.0.1:{port}/a.rm\n",
    "qt-text": "RTSPtext\nrtsp://127.0.0.1:{port}/a\n",
    "reference": "[Reference]\nRef1=http://127.0.0.1:{port}/a.asf\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "svg": "<svg xmlns='http://www.w3.org/2000/svg'><image href='file://{canary}'/><image href='http://127.0.0.1:{port}/'/></svg>",
    "vobsub": "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 000000000\n",
    "avisynth": 'DirectShowSource("{canary}")\n',
    "vapoursynth": "import vapoursynth\nopen('{canary}').read()\n",
    "ffmetadata": ";FFMETADATA1\ntitle=x\n",
    "srt": "1\n00:00:00,000 --> 00:00:01,000\n<img src='file://{canary}'>\n",
    "ass": "[Script Info]\n[Fonts]\nfontname: {canary}\n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,,,,,,,{{\\fn{canary}}}x\n",
    "command": "| cat {canary}\n",
}
"""Text, which the first bytes betray."""


def dref(movie: bytes, target: Target) -> bytes:
    """The media data of every track lies elsewhere, by URL (ISO/IEC 14496-12 section 8.7.2)."""
    return _with_reference(movie, b"url \0\0\0\0" + str(target.canary).encode() + b"\0")


def dref_http(movie: bytes, target: Target) -> bytes:
    return _with_reference(movie, b"url \0\0\0\0" + f"http://127.0.0.1:{target.port}/a".encode() + b"\0")


def dref_alias(movie: bytes, target: Target) -> bytes:
    """The same by a Macintosh alias record: with the absolute path (type 18) and the directories above (type 2)."""
    path = str(target.canary).encode()
    name = target.canary.name.encode()[:63]
    head = bytes(6) + struct.pack(">HH", 150, 2) + b"\0\0" + bytes([4]) + b"disk".ljust(27, b"\0") + bytes(12)
    head = head[:50] + bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    entries = struct.pack(">HH", 2, len(path)) + path + b"\0" * (len(path) % 2)
    entries += struct.pack(">HH", 18, len(path)) + path + b"\0" * (len(path) % 2) + struct.pack(">hH", -1, 0)
    return _with_reference(movie, b"alis\0\0\0\0" + head + entries)


def reference_movie(movie: bytes, target: Target) -> bytes:
    """A QuickTime movie that is only the address of another (QTFF, "Reference Movies")."""
    url = f"http://127.0.0.1:{target.port}/a.mov".encode() + b"\0"
    rdrf = _box(b"rdrf", bytes(4) + b"url " + struct.pack(">I", len(url)) + url)
    return _box(b"ftyp", b"qt  " + bytes(4)) + _box(b"moov", _box(b"rmra", _box(b"rmda", rdrf)))


def script_in_movie(movie: bytes, target: Target) -> bytes:
    """A playlist where the media data should be, for demuxers that look again inside."""
    text = SCRIPTS["hls"].format(name=target.canary.name, canary=target.canary, port=target.port).encode()
    at = movie.index(b"mdat") + 4
    return movie[:at] + text.ljust(len(movie) - at, b"\n")[: len(movie) - at]


def script_behind_movie(movie: bytes, target: Target) -> bytes:
    return movie + SCRIPTS["ffconcat"].format(name=target.canary.name, canary=target.canary, port=target.port).encode()


def script_behind_id3(movie: bytes, target: Target) -> bytes:
    """Some sniffers skip the tag and look again."""
    text = SCRIPTS["hls"].format(name=target.canary.name, canary=target.canary, port=target.port).encode()
    return b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + text


def picture_by_address(movie: bytes, target: Target) -> bytes:
    """A cover of type `-->`: an address instead of a picture (ID3v2.4 section 4.14)."""
    frame = b"\0-->\0\x03\0" + f"http://127.0.0.1:{target.port}/c.jpg".encode()
    tag = b"APIC" + struct.pack(">I", len(frame)) + b"\0\0" + frame
    size = len(tag)
    sound = (b"\xff\xfb\x90\x00" + bytes(413)) * 40
    return b"ID3\x04\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + tag + sound


BOXES: dict[str, Callable[[bytes, Target], bytes]] = {
    "dref-url": dref,
    "dref-http": dref_http,
    "dref-alias": dref_alias,
    "reference-movie": reference_movie,
    "script-in-movie": script_in_movie,
    "script-behind-movie": script_behind_movie,
    "script-behind-id3": script_behind_id3,
    "cover-by-address": picture_by_address,
}
"""Made from the bytes of an ordinary MOV."""


def matroska(segment: bytes, target: Target) -> bytes:
    """Segment linking by name and a chapter of another file (RFC 9559 sections 5.1.2.3 to 5.1.2.6 and 20.2)."""
    name = target.canary.name.encode()
    link = (
        _element(0x3C83AB, name)
        + _element(0x3E83BB, name)
        + _element(0x3CB923, bytes(16))
        + _element(0x3EB923, bytes(16))
    )
    at = segment.index(b"\x15\x49\xa9\x66")  # Info
    size, width = _vint(segment, at + 4)
    body = at + 4 + width
    info = segment[body : body + size] + link
    # The lengths around it no longer fit what follows, so the segment is given an unknown one
    start = segment.index(b"\x18\x53\x80\x67")
    _, segment_width = _vint(segment, start + 4)
    inside = start + 4 + segment_width
    return (
        segment[: start + 4]
        + b"\x01\xff\xff\xff\xff\xff\xff\xff"
        + segment[inside:at]
        + _element(0x1549A966, info)
        + segment[body + size :]
    )


def build(folder: Path, movie: bytes, segment: bytes, target: Target) -> dict[str, Path]:
    """Every attack as a file of its own in `folder`, by name; `movie` is a MOV, `segment` a Matroska file."""
    made: dict[str, bytes] = {}
    for name, text in SCRIPTS.items():
        made[name] = text.format(name=target.canary.name, canary=target.canary, port=target.port).encode()
    for name, change in BOXES.items():
        made[name] = change(movie, target)
    made["segment-linking"] = matroska(segment, target)
    paths = {}
    for name, data in made.items():
        paths[name] = folder / f"{name}.mp4"
        paths[name].write_bytes(data)
    return paths


def _with_reference(movie: bytes, entry: bytes) -> bytes:
    """Every `dref` gets this entry instead of its own; the boxes around it grow with it. `moov` has to be last."""
    at, grown = 0, bytearray(movie)
    own = b"\0\0\0\x0curl \0\0\0\1"
    new = struct.pack(">I", len(entry) + 4) + entry
    while (at := grown.find(own, at)) >= 0:
        for kind in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
            start = grown.rindex(kind, 0, at) - 4
            struct.pack_into(">I", grown, start, int.from_bytes(grown[start : start + 4]) + len(new) - len(own))
        grown[at : at + len(own)] = new
        at += len(new)
    return bytes(grown)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _element(number: int, body: bytes) -> bytes:
    return (
        number.to_bytes((number.bit_length() + 7) // 8)
        + struct.pack(">BI", 0x08, len(body))[:1]
        + len(body).to_bytes(4)
        + body
    )


def _vint(data: bytes, at: int) -> tuple[int, int]:
    width = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + width]) & ((1 << (7 * width)) - 1)
    return value, width
