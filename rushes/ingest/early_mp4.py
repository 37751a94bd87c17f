"""An MP4 or MOV file by its first bytes, or by its first and its last ones. Pure; ISO/IEC 14496-12.

The probe may run ahead where all that is missing lies inside one `mdat` box and no sample table points at less than what is
there for the first pictures: then the missing bytes are later samples and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rushes.errors import StepFailure
from rushes.facts import EarlyFacts
from rushes.ffmpeg.orientation import orientation
from rushes.ingest.early_bytes import MOST, Look, View
from rushes.isobmff.boxes import Box, BoxError
from rushes.isobmff.summary import MovieSummary, TrackSummary, summarize
from rushes.profiles import Limits

_MAX_TOP = 1000
_PROTECTED = frozenset({"encv", "enca", "drmi", "drms"})
_REFUSED_KINDS = frozenset({"vvc1", "vvi1"})
_DATA_HANDLERS = frozenset({"tmcd", "text", "sbtl", "subt", "clcp", "hint", "meta"})
_DATA_KINDS = frozenset({"tmcd", "text", "tx3g", "mebx", "c608", "c708", "rtp ", "wvtt", "stpp"})
_PROBED_KINDS = frozenset({"avc1", "avc3", "hvc1", "hev1", "av01", "mp4v"})
"""Of which the probe needs the first pictures only; of VP9 it looks into every sample."""
_VIDEO = {
    **dict.fromkeys(("avc1", "avc3"), "h264"),
    **dict.fromkeys(("hvc1", "hev1", "dvh1", "dvhe"), "hevc"),
    **dict.fromkeys(("apch", "apcn", "apcs", "apco", "ap4h", "ap4x"), "prores"),
    **dict.fromkeys(("vvc1", "vvi1"), "vvc"),
    "av01": "av1", "vp09": "vp9", "vp08": "vp8", "mp4v": "mpeg4", "jpeg": "mjpeg", "s263": "h263",
}  # fmt: skip
_AUDIO = {
    "mp4a": "aac",
    "Opus": "opus",
    "fLaC": "flac",
    "ac-3": "ac3",
    "ec-3": "eac3",
    "alac": "alac",
    "samr": "amr_nb",
}
_SLACK = 1.02, 1.0
"""Factor and seconds by which a movie has to pass the limit by all that it says of its length."""


@dataclass(frozen=True)
class _Top:
    """Boxes of the top level as far as they can be followed, with places in the file, and where the next one would be."""

    boxes: tuple[Box, ...]
    next: int


def look_mp4(view: View, limits: Limits) -> Look:
    """Raises StepFailure for what is certain to be refused."""
    top = _walk(view.head, 0, view.length)
    moov, data, shift = next((box for box in top.boxes if box.kind == "moov"), None), view.head, 0
    if moov is None and view.tail_start is not None and top.next >= view.tail_start:
        data, shift = view.tail, view.tail_start
        behind = _walk(data, top.next - shift, len(data))
        moov = next((box for box in behind.boxes if box.kind == "moov"), None)
    facts = EarlyFacts(container="mp4")
    if moov is None:
        return _without_index(top, view, facts)
    if moov.end > len(data):
        return Look(facts, wants=_header_at(moov.end, view) if data is view.head else 0)
    if data is view.head and top.boxes[-1].kind != "mdat" and (wanted := _header_at(top.next, view)):
        return Look(facts, wants=wanted)  # the index takes long to look at: once it is known what follows it
    try:
        movie = summarize(data, moov)
    except BoxError:
        return Look(facts)  # the demuxer forgives more than we do
    _refuse(movie, data, view.length, limits)
    return _ready(movie, top, view, _facts(movie))


def _walk(data: bytes, at: int, end: int | None) -> _Top:
    """As the demuxer and `ffmpeg.outline` do: a box that says nothing sensible ends the walk. Places are those in `data`."""
    boxes: list[Box] = []
    while 0 <= at <= len(data) - 16 and len(boxes) < _MAX_TOP:
        size, body = int.from_bytes(data[at : at + 4]), at + 8
        if size == 1:
            size, body = int.from_bytes(data[at + 8 : at + 16]), at + 16
        elif size == 0 and end is not None:
            size = end - at
        if size < body - at:
            break
        boxes.append(Box(data[at + 4 : at + 8].decode("latin-1"), at, body, at + size))
        at += size
    return _Top(tuple(boxes), at)


def _without_index(top: _Top, view: View, facts: EarlyFacts) -> Look:
    """The index comes behind what is there: behind the samples as a rule, rarely behind a box of another kind."""
    if any(box.kind == "mdat" for box in top.boxes):
        return Look(facts, wants_tail=not view.tail)
    return Look(facts, wants=_header_at(top.next, view))


def _refuse(movie: MovieSummary, data: bytes, length: int | None, limits: Limits) -> None:
    kinds = {kind for track in movie.tracks for kind in track.kinds}
    if kinds & _PROTECTED:
        raise StepFailure("encrypted")
    others = [track for track in movie.tracks if not _is_harmless(track)]
    if not others:
        raise StepFailure("no_video_stream")
    if all(track.handler == "vide" and track.kinds and set(track.kinds) <= _REFUSED_KINDS for track in others):
        raise StepFailure("codec_unsupported", detail=", ".join(sorted(kinds)))
    if movie.fragmented or length is None or len(others) > 1:
        return
    longest = limits.duration * _SLACK[0] + _SLACK[1]
    if _is_longer(others[0], longest) and others[0].is_sound(data, length):
        raise StepFailure("over_limit_duration")


def _is_harmless(track: TrackSummary) -> bool:
    """Sound, or data that no demuxer takes for a picture."""
    data = track.handler in _DATA_HANDLERS and bool(track.kinds) and set(track.kinds) <= _DATA_KINDS
    return track.handler == "soun" or data


def _is_longer(track: TrackSummary, seconds: float) -> bool:
    """By its header, by its samples and, if it has one, by its edit list: one of them alone may be wrong."""
    said = [track.declared, track.counted, *([] if track.shown is None else [track.shown])]
    return track.handler == "vide" and all(one is not None and one > seconds for one in said)


def _facts(movie: MovieSummary) -> EarlyFacts:
    videos = [track for track in movie.tracks if track.handler == "vide"]
    video = max(videos, key=lambda track: track.entry.width * track.entry.height if track.entry else 0, default=None)
    audio = next((track for track in movie.tracks if track.handler == "soun"), None)
    facts = EarlyFacts(
        container="mp4",
        duration=None if movie.fragmented else _seconds(video or audio, movie),
        audio_codec=_sound(audio) if audio else None,
    )
    if video is None:
        return facts
    entry, turned = video.entry, orientation(video.matrix)[0]
    size = {"width": entry.width, "height": entry.height} if entry and entry.width and entry.height else {}
    codec = _VIDEO.get(video.kinds[0]) if video.kinds else None
    return facts.model_copy(update={"rotation": turned, "video_codec": codec, **size})


def _seconds(track: TrackSummary | None, movie: MovieSummary) -> float | None:
    """What a player would show: the edit list, else the samples, else what a header says."""
    said = (track.shown, track.counted, track.declared) if track else ()
    found = next((one for one in (*said, movie.declared) if one), None)
    return round(found, 3) if found is not None else None


def _sound(track: TrackSummary) -> str | None:
    if track.entry and track.entry.codecs in ("mp4a.6b", "mp4a.69"):
        return "mp3"
    return _AUDIO.get(track.kinds[0]) if track.kinds else None


def _ready(movie: MovieSummary, top: _Top, view: View, facts: EarlyFacts) -> Look:
    """Whether the probe may begin, or with how long a head it might."""
    videos = [track for track in movie.tracks if track.handler == "vide"]
    kinds = {kind for track in videos for kind in track.kinds}
    if movie.fragmented or view.length is None or not kinds or not kinds <= _PROBED_KINDS:
        return Look(facts)
    last = top.boxes[-1]
    if last.kind != "mdat":
        return Look(facts, wants=_header_at(top.next, view))
    needed = _needed(videos, last, view.length)
    missing_to = view.length if view.tail_start is None else view.tail_start
    if needed is None or not needed < missing_to <= last.end:
        return Look(facts)
    return Look(facts, head=needed) if len(view.head) >= needed else Look(facts, wants=needed)


def _header_at(place: int, view: View) -> int:
    """The length of a head that has the box at this place, if there can be one; 0 where it cannot be looked at."""
    wanted = place + 16 if view.length is None else min(place + 16, view.length)
    return wanted if len(view.head) < wanted <= MOST else 0


def _needed(videos: Sequence[TrackSummary], mdat: Box, length: int) -> int | None:
    """Bytes from the beginning up to the last of the first samples; None where that is too far, or not known."""
    reaches = [track.start_reach for track in videos if track.start_reach is not None]
    if not reaches or max(reaches) > min(MOST, mdat.end, length):
        return None
    return max(mdat.body, *reaches)
