"""Errors that carry a stable reason code and a sentence that a creator or an operator can act on."""

from __future__ import annotations

from enum import StrEnum


class Blame(StrEnum):
    """Who has to act, which decides whether a step is tried again."""

    TRANSIENT = "transient"
    """The surroundings: a full disk, a store that answered 503. Retried with backoff and jitter."""
    PERMANENT = "permanent"
    """The creator's file. Never retried; the asset fails with the reason."""
    RESOURCE = "resource"
    """It needed more than it got: memory, room on the disk. Tried again elsewhere or with more, a few times."""
    POISON = "poison"
    """The input kills workers. Tried a few times, then quarantined."""


CREATOR_REASONS: dict[str, str] = {
    "empty_file": "The file is empty. Please choose the video again and upload it once more.",
    "not_media": "This file is not a video that we can read. Please upload a video file such as MP4, MOV, WebM or MKV.",
    "playlist_refused": "This file is a playlist that points to other files, not a video. Please upload the video itself.",
    "still_image": "This file is a still picture, not a video. Please upload a video file.",
    "no_video_stream": "The file has no moving picture in it. Please upload a file with a video track.",
    "moov_missing": "The file has lost its index, most likely because recording or copying stopped early. "
    "Please export the video again.",
    "truncated": "The file breaks off before its end. Please upload the complete video.",
    "encrypted": "The video is copy-protected, so we cannot read it. Please upload a version without protection.",
    "no_decodable_frames": "Not one picture of this video could be decoded. Please export it again.",
    "codec_unsupported": "The video uses a format that we do not support. Please export it as H.264 or HEVC.",
    "dolby_vision_unsupported": "This Dolby Vision video has no picture for ordinary screens in it. "
    "Please export it as HDR10 or SDR.",
    "corrupt": "The file is damaged and could not be read. Please export the video again.",
    "over_limit_bytes": "The file is larger than the limit. Please upload a smaller file.",
    "over_limit_duration": "The video is longer than the limit. Please upload a shorter video.",
    "over_limit_pixels": "The picture is larger than the limit. Please export the video at a lower resolution.",
    "over_limit_work": "The video has more pixels in all than we process. Please export it shorter or smaller.",
    "over_limit_streams": "The file has too many tracks. Please export it with one video and a few audio tracks.",
    "over_limit_fps": "The frame rate is higher than the limit. Please export the video at a lower frame rate.",
    "type_refused": "This kind of file is not taken here. Please upload a file of one of the kinds that are asked for.",
    "clip_outside": "The clip begins after the video ends. Please choose a stretch that lies inside the video.",
    "watermark_unusable": "The watermark is not a picture that can be used. Please send a PNG, WebP or JPEG.",
    "upload_expired": "The upload was not finished in time. Please upload the video once more.",
    "digest_mismatch": "The file that arrived is not the one that was sent. Please upload the video once more.",
    "upload_part_gone": "A part of the upload is gone, so it cannot be put together. Please upload the video once more.",
    "upload_size_differs": "The file that arrived has another size than was announced. Please upload the video once more.",
    "pull_refused_address": "The video cannot be fetched from this address. Please give a public https address.",
    "pull_not_found": "There is no file at the address that was given. Please check it and try again.",
    "pull_not_allowed": "The server at the address does not let us fetch the file. Please give an address that is open to us.",
    "pull_too_large": "The file at the address is larger than the limit. Please give a smaller one.",
    "pull_too_slow": "The server at the address sends too slowly. Please try again later, or upload the video instead.",
    "pull_insecure": "The server at the address could not prove who it is. Please check its certificate.",
    "pull_changed": "The file at the address kept changing while it was fetched. Please try again when it is complete.",
    "pull_redirects": "The address leads from one to the next without an end. Please give the file's own address.",
    "pull_unusable": "The server at the address answers in a way that we cannot use. Please upload the video instead.",
    "pull_failed": "The file could not be fetched: the server at the address did not answer, or broke off. "
    "Please try again later.",
    "over_limit_memory": "Processing this file needed more memory than the limit allows.",
    "over_limit_time": "Processing this file took longer than the limit allows.",
    "over_limit_cpu": "Processing this file needed more computing time than the limit allows.",
    "over_limit_processes": "Processing this file started more programs than the limit allows.",
    "over_limit_index": "The file's index is larger than the limit. Please export the video again.",
}
"""What a creator can act on."""

OPERATOR_REASONS: dict[str, str] = {
    "stalled": "The tool made no progress for too long and was stopped.",
    "tool_failed": "The media tool failed for a reason we do not know yet.",
    "tool_killed": "The media tool was killed from outside.",
    "verify_failed": "The output did not pass the check that follows every encode.",
    "lint_failed": "The stream breaks rules that players rely on, so it is not published.",
    "storage_unavailable": "The object store did not answer.",
    "purge_failed": "A cache in front of us did not say that it has forgotten what was taken away.",
    "scratch_full": "The scratch disk is full.",
    "gpu_missing": "The settings ask for a GPU, and this worker has none that can be used.",
    "key_server_unavailable": "The key server did not answer.",
    "key_server_refused": "The key server gave no key for this video.",
    "keys_not_configured": "There is no key server, so nothing can be protected.",
    "worker_lost": "The worker that had this step disappeared.",
    "cancelled": "The work was cancelled.",
    "quarantined": "This file stopped several workers and was set aside.",
    "unreadable_step": "This step was planned by a newer release. It waits for a worker that knows it.",
    "internal": "Something went wrong on our side.",
}
"""What only an operator can act on."""

REASONS = CREATOR_REASONS | OPERATOR_REASONS
"""Stable reason codes: add, never rename. The sentence is shown to creators as it stands."""


class RushesError(Exception):
    """Base of all errors that may reach a user. `status` is the HTTP status an API answers with."""

    status = 500
    retry_after: float | None = None
    """Seconds after which the same request may succeed (RFC 9110 section 10.2.3)."""

    def __init__(self, code: str, message: str | None = None, *, status: int | None = None) -> None:
        self.code = code
        self.message = message or REASONS.get(code, code)
        if status is not None:
            self.status = status
        super().__init__(f"{code}: {self.message}")


class NotFound(RushesError):
    status = 404


class Refused(RushesError):
    """A request that is wrong in itself (RFC 9110 section 15.5.1 unless another status is given)."""

    status = 400


class Conflict(RushesError):
    status = 409


class Unreadable(RushesError, ValueError):
    """A record that this release cannot read: a newer one wrote it, or it is damaged."""

    status = 503
    retry_after = 60.0


class StepFailure(RushesError):
    """A step could not be done. Raised at a tool's edge, where the class of the error is known.

    `detail` is for operators only: the command, exit code and a bounded tail of its messages.
    """

    def __init__(
        self, code: str, blame: Blame = Blame.PERMANENT, *, message: str | None = None, detail: str = ""
    ) -> None:
        super().__init__(code, message)
        self.blame = blame
        self.detail = detail
