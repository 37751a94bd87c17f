from __future__ import annotations

import pytest

from rushes.ingest.media_types import TypeRefused, check_said, matches


@pytest.mark.parametrize(
    ("said", "types", "right"),
    [
        ("video/mp4", (), True),
        ("video/mp4", ("video/mp4",), True),
        ("Video/MP4; codecs=avc1", ("video/mp4",), True),
        ("video/quicktime", ("video/mp4", "video/*"), True),
        ("image/png", ("video/*",), False),
        ("video", ("video/*",), True),
        ("videos/mp4", ("video/*",), False),
        ("", ("video/*",), False),
    ],
)
def test_matching(said: str, types: tuple[str, ...], right: bool) -> None:
    assert matches(said, types) is right


def test_what_a_client_says_is_checked_and_silence_is_not_held_against_it() -> None:
    check_said({}, ("video/*",))
    check_said({"filetype": "", "type": "video/mp4"}, ("video/*",))
    check_said({"type": "holiday"}, ("video/*",))  # no media type, but a word of somebody's own
    for key in ("filetype", "type"):
        with pytest.raises(TypeRefused) as refused:
            check_said({key: "application/zip"}, ("video/*",))
        assert (refused.value.status, refused.value.code) == (415, "type_refused")
