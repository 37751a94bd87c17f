"""What the stand-ins of a rehearsal do: how long each kind of step takes, and which steps meet with something. Kept in a file that
every child reads at each step, so that it can be changed while the stack runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import Field

from rushes.noun import Noun

FILE, _SPRUNG = "rehearsal.json", "sprung."
_PLANTING = """\
import sys
if sys.argv[:1] != ["-c"]:
    from rushes.chaos.stand_in import plant
    plant()
"""
_PROFILE = """\
name = "rehearsal"
version = 1
fast_lane = false
[video]
codecs = [{ codec = "h264", preset = "veryfast", crf = 23 }]
rungs = [{ short_side = 360, max_bitrate = 800000 }]
[enrichment]
poster = true
storyboard = false
transcript = false
labels = false
"""


What = Literal["kill_worker", "kill_child", "hang", "fill_disk", "eat_memory", "run_ffmpeg", "fail"]


class Trap(Noun):
    """A step that something befalls."""

    what: What
    key: str
    asset: str = ""
    """Empty: of any asset."""
    times: int = 1
    """How often it befalls one."""

    def fits(self, asset: str, key: str) -> bool:
        return key == self.key and self.asset in ("", asset)


class Rehearsal(Noun):
    seconds: dict[str, float] = Field(default_factory=dict)
    """By kind of step; 0 unless it is said."""
    holding: dict[str, float] = Field(default_factory=dict)
    """And between the last stored byte and the step's end."""
    traps: tuple[Trap, ...] = ()


def read(folder: Path) -> Rehearsal:
    return Rehearsal.model_validate_json((folder / FILE).read_text(encoding="utf-8"))


def write(folder: Path, rehearsal: Rehearsal) -> None:
    """At once: a child that reads it sees the old one or the new one. No trap of it has caught anything yet."""
    for old in folder.glob(f"{_SPRUNG}*"):
        old.unlink()
    fresh = folder / f"{FILE}.new"
    fresh.write_text(rehearsal.model_dump_json(), encoding="utf-8")
    fresh.replace(folder / FILE)


def sprung(folder: Path, number: int, times: int) -> bool:
    """Whether the trap of this number catches once more; counted by files, for it may be in several processes at once."""
    for turn in range(times):
        with suppress(FileExistsError):
            (folder / f"{_SPRUNG}{number}.{turn}").touch(exist_ok=False)
            return True
    return False


def lay_out(folder: Path) -> Path:
    """The folder that processes of a rehearsal have on their path; gives the profile that its assets are made by."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(_PLANTING, encoding="utf-8")
    profile = folder / "rehearsal.toml"
    profile.write_text(_PROFILE, encoding="utf-8")
    write(folder, Rehearsal())
    return profile
