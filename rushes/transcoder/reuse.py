"""A source that already is a good rung is that rung. Its key pictures become the asset's grid, which every rung obeys. Pure.

What is decided here rests on the index of the file alone; that the pictures decode, and how many there are, the encodes of
the other rungs find out (see `transcoder.copied`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from rushes.engine.standard import PIXELS, PROFILES
from rushes.facts import SourceFacts, VideoFacts
from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.sample_entry import HDR, transfer_of
from rushes.plan import Grid, Ladder, Plan, Rung
from rushes.profiles import Profile
from rushes.transcoder.chunks import plan_chunks
from rushes.transcoder.cuts import CutError, sync_starts
from rushes.transcoder.ladder import codecs, nominal_rate

SLACK = 1.25
"""Times what the profile would give a rung of this size: so much may the source have and still be it."""
PEAK = 2.0
"""Times the same: so much may any segment have (HLS authoring asks for peaks below twice the average)."""
LONGEST = Fraction(13, 2)
"""Seconds of a segment; players fetch one whole before they can switch."""
OFF = Fraction(1, 4)
"""Frames by which a picture may be off its place at a constant rate: clocks of 1/600 s and 1/1000 s round."""
_MATRICES = ("bt709", "smpte170m", "bt470bg")
_PRIMARIES = (None, "bt709", "smpte170m", "bt470bg")
_HD = 720


def may_be(facts: SourceFacts, profile: Profile, plan: Plan) -> Rung | None:
    """The rung that the source would be, by what the probe found; None if it cannot be one. The index is worth reading then."""
    top, video = plan.ladders[0].rungs[0], facts.video
    if not profile.video.reuse_source or video is None or facts.container != "mp4" or len(plan.ladders[0].rungs) < 2:
        return None
    plain = video.codec == "h264" and (video.profile or "").lower() in PROFILES and video.pix_fmt in PIXELS
    upright = not (video.rotation or video.flip or video.interlaced or video.vfr) and video.sar == 1
    same = (video.width, video.height) == (top.width, top.height) and top.codec == "h264"
    if not (plain and upright and same and _has_our_colours(video)):
        return None
    rate = video.bitrate or 8 * facts.size / max(0.001, facts.duration)
    return top if rate <= SLACK * _given(facts, profile, plan) else None


def with_reuse(plan: Plan, track: MovieTrack, facts: SourceFacts, profile: Profile) -> Plan:
    """The plan with the source as its top rung. Raises CutError, with the reason, where that cannot be."""
    top = may_be(facts, profile, plan)
    if top is None:
        raise CutError("the source is no rung of its ladder")
    if (track.width, track.height) != (top.width, top.height) or track.sar[0] != track.sar[1]:
        raise CutError("the index says another size than the pictures")
    if transfer_of(track.sample_entry) in HDR:
        raise CutError(
            "the index says HDR, the pictures do not"
        )  # players believe it, and the other rungs look different
    starts = retimed_starts(track, plan.grid)
    limit = _given(facts, profile, plan)
    if any(rate > PEAK * limit for rate in _rates(track, starts)):
        raise CutError("a part of the source has too high a rate")
    if 8 * sum(sample.size for sample in track.samples) * track.timescale > SLACK * limit * track.ticks:
        raise CutError("the source has too high a rate")
    grid = plan.grid.model_copy(update={"starts": tuple(starts)})
    ladders = [ladder.model_copy(update={"grid": grid}) for ladder in plan.ladders]
    ladders[0] = Ladder(rungs=ladders[0].rungs[1:], grid=grid)
    changed = {"ladders": tuple(ladders), "chunks": plan_chunks(facts, *ladders), "reuse": True, "top": top}
    return plan.model_copy(update=changed)


def retimed_starts(track: MovieTrack, grid: Grid) -> list[int]:
    """The frames of the grid at which the source's segments begin. Raises CutError where its pictures are not on the grid."""
    places = frame_numbers(track, grid)
    starts = [places[index] for index in sync_starts(track)]
    longest = max(after - before for before, after in pairwise([*starts, len(places)]))
    if longest > LONGEST * grid.fps:
        raise CutError(f"a segment would last {float(longest / grid.fps):.2f} s")
    return starts


def frame_numbers(track: MovieTrack, grid: Grid) -> list[int]:
    """For each sample, which frame of the grid it is. Raises CutError unless they are all of them, once each."""
    if track.edits > 1 or track.delay:
        raise CutError("the edit list is not a simple one")
    numbers = []
    for sample in track.samples:
        exact = Fraction(sample.pts - track.media_time, track.timescale) * grid.fps
        number = round(exact)
        if abs(exact - number) > OFF:
            raise CutError(f"a picture is {float(exact - number):+.2f} frames off the constant rate")
        numbers.append(number)
    if sorted(numbers) != list(range(len(numbers))):
        raise CutError("there are pictures missing, or too many")
    if track.shown is not None and abs(track.shown * grid.fps - len(numbers)) > OFF:
        raise CutError("the edit list hides pictures")
    return numbers


def on_grid(track: MovieTrack, grid: Grid) -> MovieTrack:
    """The same samples in the timescale of the grid, each exactly at its frame. Raises CutError as `frame_numbers`."""
    ticks = grid.frame_ticks
    samples = [
        sample._replace(dts=at * ticks, offset=(number - at) * ticks, duration=ticks)
        for at, (sample, number) in enumerate(zip(track.samples, frame_numbers(track, grid), strict=True))
    ]
    return replace(track, timescale=grid.timescale, samples=samples, media_time=0, delay=Fraction(0), shown=None)


def _has_our_colours(video: VideoFacts) -> bool:
    """Range, matrix and primaries as players take them where rungs of ours are beside it: named, or what is usual for the size."""
    usual = video.matrix in _MATRICES or (video.matrix is None and min(video.width, video.height) >= _HD)
    usual = usual and video.primaries in _PRIMARIES
    return usual and not (video.full_range or video.hdr or video.bit_depth != 8)


def _given(facts: SourceFacts, profile: Profile, plan: Plan) -> int:
    """Bits per second that the profile allows the top rung, whatever the source has."""
    top = plan.ladders[0].rungs[0]
    if facts.video is None:
        return 0
    codec = codecs(facts.video, profile)[0]
    return nominal_rate((top.width, top.height), (profile, codec), plan.grid)


def _rates(track: MovieTrack, starts: Sequence[int]) -> list[float]:
    """Bits per second of each segment, by frame numbers; samples lie in the order of decoding, group by group."""
    bounds = [*starts, len(track.samples)]
    seconds = track.ticks / track.timescale / len(track.samples)
    return [8 * sum(sample.size for sample in track.samples[a:b]) / ((b - a) * seconds) for a, b in pairwise(bounds)]
