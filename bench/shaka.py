"""shaka-streamer (PyPI) with the same rungs, where it is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from rushes.plan import Ladder


def shaka_command(clip: Path, ladder: Ladder, folder: Path) -> list[str] | None:
    """The command, with its configuration written into `folder`; None where there is no `shaka-streamer` to run.

    It knows rungs by name only, and encodes with the preset `slow`, whatever is asked (its source, 1.5).
    """
    found = shutil.which("shaka-streamer")
    if found is None:
        return None
    names = [f"rushes{rung.height}" for rung in ladder.rungs]
    bits = folder / "bitrates.yaml"
    bits.write_text(
        "audio_channel_layouts:\n  stereo:\n    max_channels: 2\n    bitrates: {aac: '128k'}\nvideo_resolutions:\n"
        + "".join(
            f"  {name}:\n    max_width: {rung.width}\n    max_height: {rung.height}\n"
            f"    bitrates: {{h264: '{rung.max_bitrate // 1000}k'}}\n"
            for name, rung in zip(names, ladder.rungs, strict=True)
        )
    )
    inputs, pipeline, out = folder / "inputs.yaml", folder / "pipeline.yaml", folder / "shaka"
    inputs.write_text(
        f"inputs:\n  - {{name: '{clip}', media_type: video}}\n  - {{name: '{clip}', media_type: audio}}\n"
    )
    pipeline.write_text(
        "streaming_mode: vod\nsegment_size: 4\nmanifest_format: [hls]\nchannel_layouts: [stereo]\n"
        f"audio_codecs: [aac]\nvideo_codecs: [h264]\nresolutions: [{', '.join(names)}]\nsegment_per_file: true\n"
    )
    return [found, "-i", str(inputs), "-p", str(pipeline), "-b", str(bits), "-o", str(out)]
