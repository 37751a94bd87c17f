"""Rules for alternates: sound, captions and their groups (RFC 8216bis sections 4.4.6.1 and 4.4.6.2.1)."""

from __future__ import annotations

from collections.abc import Iterator

from rushes.packaging.lint.lanes import entry_of
from rushes.packaging.lint.numbers import is_language
from rushes.packaging.lint.rule import MUST, SHOULD, Fault, rule
from rushes.packaging.lint.stream import Stream
from rushes.packaging.lint.variants import GROUPS, Alternate, Group, Variant, alternates, groups, lane_at, variants

_TYPES = ("AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS")
_SAME = ("LANGUAGE", "ASSOC-LANGUAGE", "DEFAULT", "AUTOSELECT", "FORCED", "CHARACTERISTICS")


def sounds(stream: Stream) -> list[Alternate]:
    return [one for one in alternates(stream) if one.get("TYPE") == "AUDIO"]


@rule("hls.groups", MUST, "RFC 8216bis 4.4.6.2, AUDIO, VIDEO, SUBTITLES, CLOSED-CAPTIONS", variants)
def groups_exist(variant: Variant, stream: Stream) -> Iterator[Fault]:
    """A group that a variant names is there."""
    there = {(group.kind, group.name) for group in groups(stream)}
    for attribute in (*GROUPS, "CLOSED-CAPTIONS"):
        name = variant.get(attribute)
        quoted = variant.tag.attributes.get(attribute, "").startswith('"')
        if name is not None and (attribute, name) not in there and (quoted or attribute != "CLOSED-CAPTIONS"):
            yield Fault(variant.where, f"{attribute}={name!r}", "a group that is there")


@rule("hls.groups-used", SHOULD, "RFC 8216bis 4.4.6.1.1", groups)
def groups_used(group: Group, stream: Stream) -> Iterator[Fault]:
    """A group is named by a variant; else nobody can choose from it."""
    if not any(one.get(group.kind) == group.name for one in variants(stream)):
        yield Fault(group.where, "named by no variant", "a variant that names it")


@rule("hls.media-attributes", MUST, "RFC 8216bis 4.4.6.1", alternates)
def media_attributes(one: Alternate, _: Stream) -> Iterator[Fault]:
    """An alternate says TYPE, GROUP-ID and NAME; captions in their own playlist have an address, those in the picture none."""
    for name in ("TYPE", "GROUP-ID", "NAME"):
        if not one.get(name):
            yield Fault(one.where, f"no {name}", name)
    if one.get("TYPE") not in _TYPES:
        yield Fault(one.where, str(one.get("TYPE")), " or ".join(_TYPES))
    if one.get("TYPE") == "SUBTITLES" and not one.get("URI"):
        yield Fault(one.where, "no URI", "the playlist's address")
    if one.get("TYPE") == "CLOSED-CAPTIONS" and (one.get("URI") or not one.get("INSTREAM-ID")):
        yield Fault(one.where, "a URI, or no INSTREAM-ID", "INSTREAM-ID and no URI")


@rule("hls.forced", MUST, "RFC 8216bis 4.4.6.1, FORCED", alternates)
def forced(one: Alternate, _: Stream) -> Iterator[Fault]:
    """FORCED is said of subtitles only."""
    if one.get("FORCED") is not None and one.get("TYPE") != "SUBTITLES":
        yield Fault(one.where, f"FORCED={one.get('FORCED')}", "no FORCED")


@rule("hls.names", MUST, "RFC 8216bis 4.4.6.1.1", groups)
def names(group: Group, _: Stream) -> Iterator[Fault]:
    """All members of a group have different names."""
    found = [one.get("NAME") for one in group.members]
    for name in sorted({str(name) for name in found if found.count(name) > 1}):
        yield Fault(group.where, f"{name!r} {found.count(name)} times", "once")


@rule("hls.default", MUST, "RFC 8216bis 4.4.6.1.1, DEFAULT, AUTOSELECT", groups)
def default(group: Group, _: Stream) -> Iterator[Fault]:
    """A group has one default at the most, and that one may be selected without being asked for."""
    chosen = [one for one in group.members if one.get("DEFAULT") == "YES"]
    if len(chosen) > 1:
        yield Fault(group.where, f"{len(chosen)} defaults", "one at the most")
    for one in chosen:
        if one.get("AUTOSELECT") not in (None, "YES"):
            yield Fault(one.where, f"AUTOSELECT={one.get('AUTOSELECT')}", "YES, for it is the default")


@rule("hls.autoselect", SHOULD, "RFC 8216bis 4.4.6.1.1", groups)
def autoselect(group: Group, _: Stream) -> Iterator[Fault]:
    """What a player chooses by itself differs in language, FORCED or characteristics."""
    seen: set[tuple[str | None, ...]] = set()
    for one in group.members:
        if one.get("AUTOSELECT") != "YES":
            continue
        known = tuple(one.get(name) for name in ("LANGUAGE", "ASSOC-LANGUAGE", "FORCED", "CHARACTERISTICS"))
        if known in seen:
            yield Fault(one.where, "the same as another of its group", "another language or other characteristics")
        seen.add(known)


@rule("hls.group-sets", MUST, "RFC 8216bis 4.4.6.1.1", groups)
def group_sets(group: Group, stream: Stream) -> Iterator[Fault]:
    """Groups of one type have the same members, alike in all but address and channels."""
    first = next(other for other in groups(stream) if other.kind == group.kind)
    mine, theirs = (
        {one.get("NAME"): tuple(one.get(name) for name in _SAME) for one in found.members} for found in (group, first)
    )
    if mine != theirs:
        odd = sorted(str(name) for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
        yield Fault(group.where, f"differs from {first.name!r} in {', '.join(odd)}", "the same members")


@rule("hls.language", MUST, "RFC 8216bis 4.4.6.1, LANGUAGE; RFC 5646 (BCP 47)", alternates)
def language(one: Alternate, _: Stream) -> Iterator[Fault]:
    """LANGUAGE is a tag of BCP 47."""
    for name in ("LANGUAGE", "ASSOC-LANGUAGE"):
        tag = one.get(name)
        if tag is not None and not is_language(tag):
            yield Fault(one.where, f"{name}={tag!r}", "a tag such as en or pt-BR")


@rule("hls.language-present", SHOULD, "Apple HLS Authoring Specification, Multivariant Playlists, LANGUAGE", groups)
def language_present(group: Group, _: Stream) -> Iterator[Fault]:
    """Where there is a choice, each says its language."""
    for one in group.members if len(group.members) > 1 else ():
        if not one.get("LANGUAGE"):
            yield Fault(one.where, "no LANGUAGE", "LANGUAGE")


@rule("hls.channels-present", SHOULD, "RFC 8216bis 4.4.6.1, CHANNELS", sounds)
def channels_present(one: Alternate, _: Stream) -> Iterator[Fault]:
    """Sound says its CHANNELS."""
    if not one.get("CHANNELS"):
        yield Fault(one.where, "no CHANNELS", "CHANNELS")


@rule("hls.channels", MUST, "RFC 8216bis 4.4.6.1, CHANNELS", sounds)
def channels(one: Alternate, stream: Stream) -> Iterator[Fault]:
    """CHANNELS is how many channels the sound has."""
    lane = lane_at(stream, one.uri)
    entry = entry_of(lane, stream) if lane else None
    said = (one.get("CHANNELS") or "").split("/")[0]
    plain_sound = entry is not None and entry.codecs.startswith(("mp4a", "opus", "fLaC"))
    if entry and plain_sound and said and entry.channels and said != str(entry.channels):
        yield Fault(one.where, said, f"{entry.channels}")


@rule("hls.kinds", MUST, "RFC 8216bis 4.4.6.1, TYPE", alternates)
def kinds(one: Alternate, stream: Stream) -> Iterator[Fault]:
    """An alternate's playlist holds what its TYPE says."""
    lane = lane_at(stream, one.uri)
    entry = entry_of(lane, stream) if lane else None
    wanted = {"AUDIO": ("soun",), "VIDEO": ("vide",), "SUBTITLES": ("text", "subt", "sbtl")}.get(one.get("TYPE") or "")
    if entry and wanted and entry.handler not in wanted:
        yield Fault(one.where, f"handler {entry.handler!r}", " or ".join(wanted))


RULES = (
    groups_exist, groups_used, media_attributes, forced, names, default, autoselect, group_sets, language,
    language_present, channels_present, channels, kinds,
)  # fmt: skip
