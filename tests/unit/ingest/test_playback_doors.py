"""Whatever door an asset comes by, it is asked for in the same words."""

from __future__ import annotations

import pytest

from rushes.addresses import Rules, parse_url
from rushes.api.describing import Described
from rushes.encoding import said_of
from rushes.errors import Refused
from rushes.ingest import direct, pulls
from rushes.ingest.watermarks import Watermarks
from rushes.options import Asked, Clip, Options, asked
from rushes.storage.memory import MemoryStore


def test_direct_uploads_and_pulls() -> None:
    said = Described.model_validate({"playback": "signed", "clip": {"start": 1.0}}).cleaned()
    for wanted in (direct.Wanted(length=1, **said), pulls.Wanted(url="https://v.example/a.mp4", **said)):
        assert wanted.asked == Asked(clip=Clip(start=1.0), playback="signed")
        options = Watermarks(MemoryStore()).options("t", wanted.asked)
        assert options == Options(clip=Clip(start=1.0), playback="signed")
    with pytest.raises(Refused):
        Described.model_validate({"playback": "secret"})


def test_the_command_line() -> None:
    assert said_of("", "", "", "signed") == {"playback": "signed"}
    assert asked(said_of("", "", "")).playback == "public"


def test_a_repeated_pull_asks_for_the_same() -> None:
    """By its retry key, a pull is found again only where all that was asked for is the same."""
    url = parse_url("https://v.example/a.mp4", Rules())
    public, signed = (pulls.Wanted(url=str(url), playback=playback) for playback in ("public", "signed"))
    marks = {pulls._asked_for(wanted, url) for wanted in (public, signed)}
    assert marks == {pulls._digest(str(url)), pulls._digest(f"{url} signed")}  # the first as before there was a choice
