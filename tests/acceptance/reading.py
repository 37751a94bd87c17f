"""Reads a published stream with ffmpeg, every rendition by HLS and by DASH, and gives what it had to say."""

from __future__ import annotations

import subprocess

from rushes.ffmpeg.binary import find_binary


def messages(address: str) -> str:
    """ffmpeg's messages at `-v error` while it decodes everything at a manifest's address; empty is good.

    All renditions at once: ffmpeg drops an HLS variant that is not mapped in mid-fragment, and its parser then complains.
    """
    command = [
        str(find_binary()),
        "-v",
        "error",
        "-nostdin",
        "-i",
        address,
        "-map",
        "0:v",
        "-map",
        "0:a?",
        "-f",
        "null",
        "-",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    return done.stderr if done.returncode == 0 else f"exit {done.returncode}: {done.stderr}"
