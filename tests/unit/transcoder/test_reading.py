from __future__ import annotations

from rushes.engine.job import Limits, ToolSettings
from rushes.transcoder.reading import patient


def test_decoding_what_is_not_shown_is_no_standstill():
    tools = ToolSettings(ffmpeg="/bin/ffmpeg", limits=Limits(stall=60.0, wall=100.0))
    # Given an hour that is decoded before the first frame comes out
    found = patient(tools, 3600.0)
    assert found.limits.stall == 60 + 4 * 3600
    assert (found.limits.wall, found.ffmpeg) == (100.0, "/bin/ffmpeg")
    assert patient(tools, 0.0) == tools
