"""Reads an MPD, whatever is in it (ISO/IEC 23009-1). Pure; no entities, no document types, bounded counts."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from fractions import Fraction

from rushes.packaging.lint.numbers import address, duration, whole
from rushes.packaging.lint.stream import AdaptationSet, Attributes, Manifest, Piece, Ref, Representation

NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
MOST_ELEMENTS = 400_000
MOST_PIECES = 400_000
_FIELD = re.compile(r"\$(?:(RepresentationID|Number|Bandwidth|Time)(?:%0(\d{1,2})d)?)?\$")
_COMMON = (
    "mimeType", "codecs", "lang", "frameRate", "width", "height", "sar", "contentType", "segmentAlignment", "startWithSAP",
    "audioSamplingRate",
)  # fmt: skip


def parse(uri: str, where: str, data: bytes) -> Manifest:
    """The manifest in `data`; one that is no XML, or too much of it, has flaws and nothing else."""
    if re.search(rb"<!\s*(DOCTYPE|ENTITY)", data, re.IGNORECASE):
        return Manifest(uri, where, {}, (), flaws=("it has a document type, which is not read",))
    if data.count(b"<") > 2 * MOST_ELEMENTS:
        return Manifest(uri, where, {}, (), flaws=(f"it has more than {MOST_ELEMENTS} elements",))
    if data[:4096].count(b"<") and _depth(data) > 64:
        return Manifest(uri, where, {}, (), flaws=("its elements are nested too deep",))
    try:
        root = ET.fromstring(data)  # noqa: S314 - no document type, so no entities; bounded above
    except (ET.ParseError, ValueError, LookupError) as error:
        return Manifest(uri, where, {}, (), flaws=(f"it is not well-formed XML: {error}",))
    reader = _Reader(uri, where, root)
    sets = tuple(reader.sets())
    return Manifest(
        uri, where, {**root.attrib, "xmlns": _space(root), "root": _name(root)}, sets,
        len(_all(root, "Period")), tuple(reader.written()), tuple(reader.flaws), tuple(reader.notes),
    )  # fmt: skip


def _depth(data: bytes) -> int:
    """The deepest that elements can be nested in each other, by a rough count."""
    depth = deepest = 0
    for match in re.finditer(rb"<(/?)[^<>?!]*?(/?)>", data):
        if match[1]:
            depth -= 1
        elif not match[2]:
            depth += 1
            deepest = max(deepest, depth)
    return deepest


def _name(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _space(element: ET.Element) -> str:
    tag = str(element.tag)
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""


def _all(element: ET.Element, name: str) -> list[ET.Element]:
    return [child for child in element if isinstance(child.tag, str) and _name(child) == name]


def _one(element: ET.Element, name: str) -> ET.Element | None:
    return next(iter(_all(element, name)), None)


def _attributes(element: ET.Element) -> dict[str, str]:
    """By plain names: `cenc:default_KID` is `default_KID`."""
    return {name.rpartition("}")[2]: value for name, value in element.attrib.items()}


class _Reader:
    def __init__(self, uri: str, where: str, root: ET.Element) -> None:
        self.uri, self.where, self.root = uri, where, root
        self.flaws: list[str] = []
        self.notes: list[str] = []
        self._left = MOST_PIECES

    def written(self) -> Iterator[str]:
        for element in self.root.iter():
            if not isinstance(element.tag, str):
                continue
            if _name(element) == "BaseURL" and element.text:
                yield element.text.strip()
            yield from (
                element.attrib[key] for key in ("media", "initialization", "sourceURL") if key in element.attrib
            )

    def sets(self) -> Iterator[AdaptationSet]:
        base = self._base(self.uri, self.root)
        whole_length = duration(self.root.get("mediaPresentationDuration"))
        for number, period in enumerate(_all(self.root, "Period")):
            length = duration(period.get("duration")) or whole_length
            for count, element in enumerate(_all(period, "AdaptationSet")):
                yield self._set((base, period, length), element, f"{self.where} period {number} set {count}")

    def _base(self, above: str, element: ET.Element) -> str:
        found = _one(element, "BaseURL")
        return address(above, (found.text or "").strip()) if found is not None else above

    def _set(self, above: tuple[str, ET.Element, Fraction | None], element: ET.Element, where: str) -> AdaptationSet:
        base, period, length = above
        base = self._base(self._base(base, period), element)
        members = tuple(
            self._representation((base, (period, element, one), length), one, f"{where} {one.get('id', '?')}")
            for one in _all(element, "Representation")
        )
        roles = tuple(role.get("value", "") for role in _all(element, "Role"))
        return AdaptationSet(where, _attributes(element), members, roles)

    def _representation(
        self, above: tuple[str, tuple[ET.Element, ...], Fraction | None], one: ET.Element, where: str
    ) -> Representation:
        base, chain, length = above
        base = self._base(base, one)
        own = {name: chain[1].attrib[name] for name in _COMMON if name in chain[1].attrib} | _attributes(one)
        kind, merged, timeline = _addressing(chain)
        timescale = whole(merged.get("timescale")) or 1
        told = _timeline(timeline, length, timescale) if timeline is not None else []
        naming = _Naming(base, merged, own, where)
        if kind == "SegmentTemplate":
            pieces = self._numbered(naming, told or _even(merged, length, timescale), timescale)
        elif kind == "SegmentList":
            pieces = self._listed(naming, chain, told, timescale)
        else:
            pieces = []
        return Representation(
            where, own, tuple(pieces), timescale, whole(merged.get("presentationTimeOffset")) or 0,
            _initialization(naming, chain, kind), _index(base, merged) if kind == "SegmentBase" else None, kind,
            tuple((start, ticks) for start, ticks in told), _properties(chain), _descriptors(chain, "ContentProtection"),
            _descriptors(chain, "AudioChannelConfiguration"), length,
        )  # fmt: skip

    def _numbered(self, naming: _Naming, told: list[tuple[int, int]], timescale: int) -> list[Piece]:
        first = whole(naming.merged.get("startNumber", "1")) or 0
        init = naming.init()
        pieces = []
        for count, (start, ticks) in enumerate(told[: self._left]):
            ref = Ref(naming.media(first + count, start))
            where = f"{naming.where} segment {count} ({ref.name})"
            pieces.append(Piece(ref, Fraction(ticks, timescale), where, init, ticks=start))
        self._spend(len(told))
        return pieces

    def _listed(
        self, naming: _Naming, chain: tuple[ET.Element, ...], told: list[tuple[int, int]], timescale: int
    ) -> list[Piece]:
        element = next(found for one in reversed(chain) if (found := _one(one, "SegmentList")) is not None)
        even = whole(naming.merged.get("duration")) or 0
        init = _initialization(naming, chain, "SegmentList")
        pieces = []
        for count, one in enumerate(_all(element, "SegmentURL")[: self._left]):
            start, ticks = told[count] if count < len(told) else (count * even, even)
            ref = _spanned(
                address(naming.base, one.get("media", "")) if one.get("media") else naming.base, one.get("mediaRange")
            )
            where = f"{naming.where} segment {count} ({ref.name})"
            pieces.append(Piece(ref, Fraction(ticks, timescale), where, init, ticks=start))
        if told and len(told) != len(pieces):
            self.flaws.append(f"{naming.where}: {len(told)} times for {len(pieces)} segments")
        self._spend(len(pieces))
        return pieces

    def _spend(self, count: int) -> None:
        self._left = max(0, self._left - count)
        if not self._left:
            self.notes = [f"the manifest has more than {MOST_PIECES} segments; the rest is not read"]


class _Naming:
    """How the addresses of one representation are made."""

    def __init__(self, base: str, merged: Mapping[str, str], own: Attributes, where: str) -> None:
        self.base, self.merged, self.own, self.where = base, merged, own, where

    def media(self, number: int, time: int) -> str:
        return address(self.base, self._filled(self.merged.get("media", ""), number, time))

    def init(self) -> Ref | None:
        text = self.merged.get("initialization")
        return Ref(address(self.base, self._filled(text, 0, 0))) if text else None

    def _filled(self, text: str, number: int, time: int) -> str:
        values = {
            "RepresentationID": self.own.get("id", ""),
            "Bandwidth": self.own.get("bandwidth", ""),
            "Number": str(number),
            "Time": str(time),
        }

        def value(match: re.Match[str]) -> str:
            return values[match[1]].zfill(int(match[2] or 0)) if match[1] else "$"

        return _FIELD.sub(value, text)


def _addressing(chain: tuple[ET.Element, ...]) -> tuple[str, dict[str, str], ET.Element | None]:
    """Its kind, its attributes from the period down (section 5.3.9.1), and the timeline nearest to the representation."""
    kind, timeline = "", None
    merged: dict[str, str] = {}
    for element in chain:
        for name in ("SegmentBase", "SegmentList", "SegmentTemplate"):
            found = _one(element, name)
            if found is not None:
                kind = name
                merged |= _attributes(found)
                timeline = _one(found, "SegmentTimeline") if _one(found, "SegmentTimeline") is not None else timeline
    return kind, merged, timeline


def _timeline(element: ET.Element, length: Fraction | None, timescale: int) -> list[tuple[int, int]]:
    """Start and length of each segment, in ticks (section 5.3.9.6)."""
    found: list[tuple[int, int]] = []
    at = 0
    rows = _all(element, "S")
    for number, row in enumerate(rows):
        at = whole(row.get("t")) if row.get("t") is not None and whole(row.get("t")) is not None else at  # type: ignore[assignment]
        ticks = whole(row.get("d")) or 0
        repeats = row.get("r", "0")
        if repeats.startswith("-"):
            stop = whole(rows[number + 1].get("t")) if number + 1 < len(rows) else None
            end = stop if stop is not None else int((length or 0) * timescale)
            count = max(1, -(-(end - at) // ticks)) if ticks else 1
        else:
            count = (whole(repeats) or 0) + 1
        for _ in range(min(count, MOST_PIECES - len(found))):
            found.append((at, ticks))
            at += ticks
    return found


def _even(merged: Mapping[str, str], length: Fraction | None, timescale: int) -> list[tuple[int, int]]:
    """Segments of equal length, by @duration."""
    ticks = whole(merged.get("duration")) or 0
    if not ticks or not length:
        return []
    end = length * timescale
    count = min(MOST_PIECES, -(-end // ticks))
    return [(number * ticks, min(ticks, int(end) - number * ticks) or ticks) for number in range(count)]


def _initialization(naming: _Naming, chain: tuple[ET.Element, ...], kind: str) -> Ref | None:
    if kind == "SegmentTemplate":
        return naming.init()
    for element in reversed(chain):
        parent = _one(element, kind) if kind else None
        found = _one(parent, "Initialization") if parent is not None else None
        if found is not None:
            uri = address(naming.base, found.get("sourceURL", "")) if found.get("sourceURL") else naming.base
            return _spanned(uri, found.get("range"))
    return None


def _index(base: str, merged: Mapping[str, str]) -> Ref | None:
    found = _spanned(base, merged.get("indexRange"))
    return found if found.length is not None else None


def _spanned(uri: str, text: str | None) -> Ref:
    """`0-999` is the first thousand bytes."""
    first, _, last = (text or "").partition("-")
    start, stop = whole(first), whole(last)
    if start is None or stop is None or stop < start:
        return Ref(uri)
    return Ref(uri, start, stop - start + 1)


def _properties(chain: tuple[ET.Element, ...]) -> tuple[Attributes, ...]:
    return (*_descriptors(chain, "EssentialProperty"), *_descriptors(chain, "SupplementalProperty"))


def _descriptors(chain: tuple[ET.Element, ...], name: str) -> tuple[Attributes, ...]:
    return tuple(_attributes(found) for element in chain for found in _all(element, name))
