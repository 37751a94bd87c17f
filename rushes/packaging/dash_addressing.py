"""Where the pieces of a Representation lie: by template, by list, or in one file (ISO/IEC 23009-1 section 5.3.9). Pure."""

from __future__ import annotations

import posixpath
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from itertools import groupby

from rushes.packaging.images import sheet_ticks
from rushes.packaging.playlist import Href
from rushes.tracks import Track


def address(parent: ET.Element, track: Track, href: Href) -> None:
    """A template where the names are numbered from 1, which they are unless several chunks were joined."""
    if track.in_one_file:
        _one_file(parent, track, href)
    elif is_listed(track):
        _listed(parent, track, href)
    else:
        _template(parent, track, href)


def address_sheets(parent: ET.Element, track: Track, href: Href) -> None:
    """Sheets all stand for the same time, so no timeline is needed; dash.js takes sheets by their duration only."""
    suffix = posixpath.splitext(track.segments[0].name)[1]
    ET.SubElement(
        parent,
        "SegmentTemplate",
        timescale=str(track.timescale),
        duration=str(sheet_ticks(track)),
        media=f"{href(track.prefix)}$Number%05d${suffix}",
        startNumber="1",
    )


def is_listed(track: Track) -> bool:
    """Whether no template gives the names, as of chunks that were joined. Captions and sheets are numbered always."""
    numbered = all(segment.name == f"{number:05d}.m4s" for number, segment in enumerate(track.segments, 1))
    return track.kind in ("video", "audio") and not track.in_one_file and not numbered


def _one_file(parent: ET.Element, track: Track, href: Href) -> None:
    """The index in the file says where its segments begin."""
    index = track.init_size + track.index_size
    ET.SubElement(parent, "BaseURL").text = href(track.prefix + (track.init or ""))
    base = ET.SubElement(
        parent, "SegmentBase", timescale=str(track.timescale), indexRange=f"{track.init_size}-{index - 1}"
    )
    ET.SubElement(base, "Initialization", range=f"0-{track.init_size - 1}")


def _template(parent: ET.Element, track: Track, href: Href) -> None:
    template = ET.SubElement(
        parent,
        "SegmentTemplate",
        timescale=str(track.timescale),
        initialization=href(track.prefix + (track.init or "")),
        media=href(track.prefix) + "$Number%05d$.m4s",
        startNumber="1",
    )
    _timeline(template, (list(run) for _, run in groupby(segment.ticks for segment in track.segments)), track)


def _listed(parent: ET.Element, track: Track, href: Href) -> None:
    listed = ET.SubElement(parent, "SegmentList", timescale=str(track.timescale))
    ET.SubElement(listed, "Initialization", sourceURL=href(track.prefix + (track.init or "")))
    _timeline(
        listed, ([segment.ticks] for segment in track.segments), track
    )  # dash.js 5.2 takes the Nth address for the Nth `S`
    for segment in track.segments:
        ET.SubElement(listed, "SegmentURL", media=href(track.prefix + segment.name))


def _timeline(parent: ET.Element, runs: Iterable[list[int]], track: Track) -> None:
    """Without gaps, from the first segment's tfdt on. `runs`: ticks of segments that are told together, being equal."""
    timeline = ET.SubElement(parent, "SegmentTimeline")
    start: dict[str, str] = {"t": str(track.start_ticks)}
    for run in runs:
        repeats = {"r": str(len(run) - 1)} if len(run) > 1 else {}
        ET.SubElement(timeline, "S", start | {"d": str(run[0])} | repeats)
        start = {}
