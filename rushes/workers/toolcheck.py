"""The doctor's checks of tools: ffmpeg and its sandbox, speech engines, detectors, policy."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from rushes.engine.job import ToolSettings
from rushes.errors import RushesError
from rushes.ffmpeg.binary import find_binary
from rushes.ffmpeg.door import Door
from rushes.ffmpeg.sandbox import detect
from rushes.model import CoverageEntry
from rushes.moderation import nudenet
from rushes.moderation.capabilities import provided
from rushes.moderation.detector import Absent
from rushes.settings import Settings, load_policy, load_profile
from rushes.states import Coverage
from rushes.workers.doctor import Check

ENCODERS = ("libx264", "aac")
WHISPER_FILES = ("model.bin", "config.json")


def all_checks(settings: Settings) -> list[tuple[str, Callable[[], Check]]]:
    return [
        ("ffmpeg", lambda: ffmpeg(settings)),
        ("sandbox", lambda: sandbox(settings)),
        ("profile", lambda: profile(settings)),
        ("speech", lambda: speech(settings)),
        ("visual labels", visual_labels),
        ("policy", lambda: policy(settings)),
    ]


def ffmpeg(settings: Settings) -> Check:
    """It runs, in the sandbox that is in force, and has the encoders that every ladder needs."""
    name, remedy = "ffmpeg", "Install the imageio-ffmpeg package, or set RUSHES_FFMPEG to an ffmpeg with libx264."
    try:
        binary = find_binary(settings.ffmpeg)
        listing = _output(settings, "-encoders")
        banner = _output(settings, "-version").split(" ")
    except RushesError as error:
        return Check(name, False, error.message, remedy)
    names = {line.split()[1] for line in listing.splitlines() if len(line.split()) > 2}
    missing = [encoder for encoder in ENCODERS if encoder not in names]
    if missing:
        return Check(name, False, f"{binary} has no encoder {', '.join(missing)}", remedy)
    return Check(name, True, f"{banner[2] if len(banner) > 2 else 'unknown version'} ({binary})")


def _output(settings: Settings, option: str) -> str:
    parts: list[bytes] = []
    door = Door(ToolSettings(ffmpeg=settings.ffmpeg, sandbox=settings.sandbox))
    door.run(["-hide_banner", option], reads=[], stdout=parts.append)
    return b"".join(parts).decode(errors="replace")


def sandbox(settings: Settings) -> Check:
    """Uploads are written by strangers; what opens them must not see this machine."""
    name, remedy = "sandbox", "Install bubblewrap and allow user namespaces, or use Linux 5.13 or newer (Landlock)."
    try:
        mode = detect(settings.sandbox)
    except RushesError as error:
        return Check(name, False, error.message, remedy)
    weak = "" if mode.hides_files else "; files of this user are not hidden from tools that open uploads"
    return Check(name, True, f"{mode.value} (asked for: {settings.sandbox}){weak}", remedy)


def profile(settings: Settings) -> Check:
    found = load_profile(settings.profile)
    return Check("profile", True, f"{found.ref}, {len(found.video.rungs)} rungs")


def speech(settings: Settings) -> Check:
    """Transcripts are optional: without an engine they are skipped, with the reason on the asset."""
    if settings.whisper_model:
        return _whisper(Path(settings.whisper_model))
    if settings.speech_draft and find_spec("pocketsphinx"):
        return Check("speech", True, f"English drafts only (pocketsphinx {_version('pocketsphinx')})")
    detail = "none: no transcripts are made. Install rushes[speech] and set RUSHES_WHISPER_MODEL to have them"
    return Check("speech", True, detail)


def _whisper(model: Path) -> Check:
    missing = [name for name in WHISPER_FILES if not (model / name).is_file()]
    if missing:
        remedy = "Set RUSHES_WHISPER_MODEL to a CTranslate2 model, or get one: rushes models pull small."
        return Check("speech", False, f"{model} has no {' and no '.join(missing)}", remedy)
    if find_spec("faster_whisper") is None:
        return Check("speech", False, "a model is set, but faster-whisper is missing", "Install rushes[speech].")
    return Check("speech", True, f"faster-whisper {_version('faster-whisper')} with {model.name}")


def visual_labels() -> Check:
    """Labels are optional; what is not evaluated is reported as such."""
    detector = nudenet.find()
    if not isinstance(detector, Absent):
        return Check("visual labels", True, f"{detector.name} {detector.version} (AGPL-3.0)")
    missing = find_spec(nudenet.NAME) is None
    detail = f"none, labels say not_evaluated: {detector.reason}"
    return Check("visual labels", missing, detail, "Install rushes[nudenet] again.")


def policy(settings: Settings) -> Check:
    """Whether anything could ever be published: coverage that nothing here provides holds every asset."""
    found = load_policy(settings.policy)
    detector = nudenet.find()
    entries = () if isinstance(detector, Absent) else (_looked(detector.name),)
    there = {capability for entry in entries for capability in provided(entry)}
    lacking = [capability for capability in found.require_coverage if capability not in there]
    if lacking:
        detail = f"{found.ref} requires {', '.join(lacking)}, which nothing here provides: every asset will be held"
        return Check("policy", False, detail, "Install rushes[nudenet], or choose another policy (RUSHES_POLICY).")
    return Check("policy", True, found.ref)


def _looked(detector: str) -> CoverageEntry:
    return CoverageEntry(detector=detector, state=Coverage.EVALUATED)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"
