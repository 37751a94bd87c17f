"""A limit of duration on a one-time address, held by the real probe of a whole stack."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from rushes.testing import Stack, running_stack
from tests.integration.ingest.conftest import wait_for
from tests.integration.ingest.limited import PATCH, TUS


def upload_by_address(stack: Stack, clip: Path, **wanted: object) -> tuple[str, str]:
    """Address and asset."""
    made = httpx.post(f"{stack.url}/v1/uploads", json=wanted).json()
    data = clip.read_bytes()
    created = httpx.post(made["url"], headers={**TUS, "Upload-Length": str(len(data))})
    sent = httpx.patch(created.headers["location"], content=data, headers={**PATCH, "Upload-Offset": "0"})
    assert sent.status_code == 204
    return made["id"], created.headers["rushes-asset"]


def test_a_video_that_is_longer_than_the_address_allows_is_refused(media: Path, tmp_path: Path) -> None:
    clip = media / "real" / "feature-phone-144p-amr.3gp"
    if not clip.is_file():
        pytest.skip("the clip is not there")
    with running_stack(tmp_path / "data", refuse_early="false") as stack:
        short, failed = upload_by_address(stack, clip, max_duration=0.5)
        long, _ = upload_by_address(stack, clip, max_duration=3600)

        def refused() -> dict[str, object] | None:
            found = httpx.get(f"{stack.url}/v1/uploads/{short}").json()
            return found if found["state"] == "errored" else None

        found = wait_for(refused, "the refusal", 60)
        assert found["reason"]["code"] == "over_limit_duration"
        assert found["uploads"][0]["asset"] == failed
        assert httpx.get(f"{stack.url}/v1/uploads/{long}").json()["state"] == "asset_created"
