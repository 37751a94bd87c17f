"""Rules for init segments and switching sets (ISO/IEC 23000-19, CMAF; ISO/IEC 14496-12)."""

from __future__ import annotations

from collections.abc import Iterator

from rushes.packaging.lint.lanes import Lane, entry_of, init_of, looked_into, media_lanes
from rushes.packaging.lint.rule import MUST, SHOULD, Fault, rule
from rushes.packaging.lint.rules_segments import hls_pictures
from rushes.packaging.lint.stream import Init, Representation, Stream

_BRANDS = frozenset(("cmfc", "cmf2", "iso5", "iso6", "iso7", "iso8", "iso9", "dash"))


def inits(stream: Stream) -> list[Init]:
    return [init for init in stream.inits.values() if not init.error]


def switching_sets(stream: Stream) -> Iterator[tuple[str, list[Lane]]]:
    """Pictures that a player changes between without a new decoder: of one codec, in HLS and in each set of DASH."""
    kinds: dict[str, list[Lane]] = {}
    for lane in hls_pictures(stream):
        entry = entry_of(lane, stream)
        kinds.setdefault(f"HLS {entry.codecs.split('.')[0] if entry else ''}", []).append(lane)
    for one in stream.manifest.sets if stream.manifest else ():
        found = [Lane(member.where, member.pieces, member) for member in one.members]
        kinds.setdefault(one.where, []).extend(lane for lane in found if lane.is_media)
    yield from ((name, found) for name, found in kinds.items() if len(found) > 1)


@rule("cmaf.brands", SHOULD, "ISO/IEC 23000-19 7.2", inits)
def brands(init: Init, _: Stream) -> Iterator[Fault]:
    """An init segment says what it keeps to: a CMAF brand, or one with decode times in fragments."""
    if not _BRANDS & set(init.brands):
        yield Fault(init.ref.name, ", ".join(init.brands) or "no ftyp", "cmfc or cmf2")


@rule("cmaf.one-track", MUST, "ISO/IEC 23000-19 7.3.1", inits)
def one_track(init: Init, _: Stream) -> Iterator[Fault]:
    """An init segment of a CMAF brand has one track."""
    if {"cmfc", "cmf2"} & set(init.brands) and len(init.tracks) != 1:
        yield Fault(init.ref.name, f"{len(init.tracks)} tracks", "1")


@rule("cmaf.one-entry", SHOULD, "ISO/IEC 23000-19 7.5.10", inits)
def one_entry(init: Init, _: Stream) -> Iterator[Fault]:
    """A track has one sample entry."""
    for track in init.tracks:
        if track.entries != 1:
            yield Fault(init.ref.name, f"{track.entries} sample entries", "1")


@rule("cmaf.edit-list", MUST, "ISO/IEC 23000-19 7.7, 7.5.13: cmf2 has none", inits)
def edit_list(init: Init, _: Stream) -> Iterator[Fault]:
    """A picture of brand cmf2 has no edit list; of cmfc, one edit at the most."""
    for track in init.tracks:
        if track.handler == "vide" and "cmf2" in init.brands and track.edits:
            yield Fault(init.ref.name, f"{track.edits} edits", "none, for it says cmf2")
        elif {"cmfc", "cmf2"} & set(init.brands) and track.edits > 1:
            yield Fault(init.ref.name, f"{track.edits} edits", "one at the most")


@rule("cmaf.negative-offsets", SHOULD, "ISO/IEC 23000-19 7.7.2: presentation begins at the decode time", media_lanes)
def first_shown(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """Of brand cmf2, pictures that are reordered have negative composition offsets."""
    init = init_of(lane, stream)
    offsets = any(found.negative for _, found in looked_into(lane, stream))
    if init and "cmfc" in init.brands and "cmf2" not in init.brands and offsets:
        yield Fault(lane.where, "negative composition offsets", "brand cmf2")


@rule("cmaf.colr", SHOULD, "ISO/IEC 23000-19 9.2.6; DASH-IF IOP part 7", inits)
def colr(init: Init, _: Stream) -> Iterator[Fault]:
    """A picture says its colours (colr)."""
    for track in init.tracks:
        if track.handler == "vide" and "colr" not in track.boxes:
            yield Fault(init.ref.name, "no colr", "colr")


@rule("cmaf.pasp", SHOULD, "ISO/IEC 23000-19 9.2.6", inits)
def pasp(init: Init, _: Stream) -> Iterator[Fault]:
    """A picture says the shape of its pixels (pasp)."""
    for track in init.tracks:
        if track.handler == "vide" and "pasp" not in track.boxes:
            yield Fault(init.ref.name, "no pasp", "pasp")


@rule("cmaf.timescale", SHOULD, "ISO/IEC 23000-19 7.3.4.2", switching_sets)
def timescale(subject: tuple[str, list[Lane]], stream: Stream) -> Iterator[Fault]:
    """All tracks of a switching set have one timescale."""
    name, found = subject
    scales = {entry.timescale for lane in found if (entry := entry_of(lane, stream))}
    if len(scales) > 1:
        yield Fault(name, ", ".join(map(str, sorted(scales))), "one for all")


@rule("cmaf.same-entry", MUST, "ISO/IEC 23000-19 7.3.4.2", switching_sets)
def same_entry(subject: tuple[str, list[Lane]], stream: Stream) -> Iterator[Fault]:
    """All tracks of a switching set have one kind of sample entry."""
    name, found = subject
    kinds = {entry.kind for lane in found if (entry := entry_of(lane, stream))}
    if len(kinds) > 1:
        yield Fault(name, ", ".join(sorted(kinds)), "one for all")


@rule("cmaf.same-init", MUST, "ISO/IEC 23000-19 7.3.2: one header for a track", media_lanes)
def same_init(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """All segments of a track have one init segment, byte for byte."""
    refs = {piece.init for piece in lane.pieces if piece.init}
    digests = {init.digest for ref in refs if (init := stream.inits.get(ref))}
    if len(digests) > 1 and not any(piece.discontinuity for piece in lane.pieces):
        yield Fault(lane.where, f"{len(digests)} different ones", "one")


@rule("cmaf.aligned", MUST, "ISO/IEC 23009-1 5.3.3.2, @segmentAlignment; ISO/IEC 23000-19 7.3.4.3", switching_sets)
def aligned(subject: tuple[str, list[Lane]], stream: Stream) -> Iterator[Fault]:
    """Where a set says that it is aligned, its tracks are cut at the same times: their fragments say so too."""
    name, found = subject
    if not all(isinstance(lane.source, Representation) and _says_aligned(lane.source) for lane in found):
        return
    cuts = {lane.where: _cuts(lane) for lane in found}
    first = found[0]
    for lane in found[1:]:
        if cuts[lane.where] != cuts[first.where]:
            yield Fault(lane.where, f"{len(lane.pieces)} segments", f"{len(first.pieces)}, cut as {first.where}")
    yield from _by_fragments(name, found, stream)


def _says_aligned(one: Representation) -> bool:
    return one.attributes.get("segmentAlignment") not in (None, "false")


def _cuts(lane: Lane) -> list[object]:
    """Times in milliseconds: timescales may differ."""
    scale = lane.source.timescale if isinstance(lane.source, Representation) else 1
    return [round(1000 * (piece.ticks or 0) / scale) for piece in lane.pieces]


def _by_fragments(name: str, found: list[Lane], stream: Stream) -> Iterator[Fault]:
    """What was looked into, segment by segment."""
    times: dict[int, dict[int, str]] = {}
    for lane in found:
        entry = entry_of(lane, stream)
        order = {piece.ref: number for number, piece in enumerate(lane.pieces)}
        for piece, fragment in looked_into(lane, stream) if entry else ():
            if fragment.tfdt is not None and entry:
                at = round(1000 * fragment.tfdt / entry.timescale)
                times.setdefault(order[piece.ref], {}).setdefault(at, lane.where)
    for number, ats in times.items():
        if max(ats) - min(ats) > 1:
            yield Fault(
                f"{name} segment {number}", ", ".join(f"{at / 1000:.3f} s" for at in sorted(ats)), "the same time"
            )


RULES = (
    brands, one_track, one_entry, edit_list, first_shown, colr, pasp, timescale, same_entry, same_init, aligned,
)  # fmt: skip
