"""Manifests as people write them."""

from __future__ import annotations

import pytest

from rushes.ingest.manifest import Entry, ManifestError, parse_manifest

CSV = """path,title,tenant,external_id,metadata.series
2019/opening.mp4,"Opening, the night",acme,film-1,nights
größe.mp4,,,,
"""
LINES = """{"path": "2019/opening.mp4", "title": "Opening, the night", "tenant": "acme", "external_id": "film-1",\
 "metadata": {"series": "nights"}}

{"path": "größe.mp4"}
"""


@pytest.mark.parametrize(("text", "name"), [(CSV, "m.csv"), (LINES, "m.jsonl"), ("\ufeff" + CSV, "M.CSV")])
def test_both_forms_say_the_same(text: str, name: str) -> None:
    first, second = parse_manifest(text, name)
    assert first == Entry(
        path="2019/opening.mp4",
        title="Opening, the night",
        tenant="acme",
        external_id="film-1",
        metadata={"series": "nights"},
    )
    assert first.all_metadata == {"series": "nights", "external_id": "film-1"}
    assert second == Entry(path="größe.mp4")


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("", "m.csv", "Line 1"),
        ("title\nx\n", "m.csv", "must name `path`"),
        ("path,colour\nx,red\n", "m.csv", "'colour'"),
        ("path,title\nx\n", "m.csv", "Line 2"),
        ("path\nx,y\n", "m.csv", "Line 2"),
        ("path\nx\nx\n", "m.csv", "Line 3: x comes twice"),
        ('path\n"x\n', "m.csv", "Line"),
        ("path,tenant\nx,../../etc\n", "m.csv", "Line 2: '../../etc' is no name"),
        ("path,title\n,x\n", "m.csv", "Line 2: path"),
        ("nonsense", "m.jsonl", "Line 1: it is not JSON"),
        ("[]", "m.jsonl", "Line 1: it is not an object"),
        ('{"path": "x"}\n{"path": 5}', "m.jsonl", "Line 2: path"),
        ('{"path": "x", "colour": "red"}', "m.jsonl", "'colour'"),
        ('{"path": "x", "metadata": {"a": 1}}', "m.jsonl", "metadata.a"),
        ("[" * 100_000, "m.jsonl", "Line 1: it is not JSON"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, name: str, says: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(text, name)
    assert says in str(caught.value)


def test_titles_and_metadata_are_freed_of_what_hides() -> None:
    (entry,) = parse_manifest('{"path": "x", "title": "a\\u202eb\\n", "metadata": {"k": "v\\u0000"}}', "m.jsonl")
    assert (entry.title, entry.metadata) == ("ab", {"k": "v"})


def test_a_file_may_have_a_profile_of_its_own() -> None:
    first, second = parse_manifest("path,profile\na.mp4,archive\nb.mp4,\n", "m.csv")
    assert (first.profile, second.profile) == ("archive", "")
    assert parse_manifest('{"path": "a.mp4", "profile": "quality"}\n', "m.jsonl")[0].profile == "quality"
