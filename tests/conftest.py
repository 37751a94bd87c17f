"""Fixtures that every tier may use. A missing service or clip skips locally and fails in CI."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"


def unavailable(what: str) -> None:
    """Skip on a developer's machine; in CI a missing part is a failure, or the check would silently vanish."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not there, and CI must have it")
    pytest.skip(f"{what} is not there")


@pytest.fixture(scope="session")
def media() -> Path:
    """The directory of shared clips; not part of the product, so its absence is never a failure."""
    if not MEDIA.is_dir():
        pytest.skip("the shared clips are not there")
    return MEDIA
