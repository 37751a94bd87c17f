"""What the audit says of an asset and what the store has of it."""

from __future__ import annotations

from typing import Any

import pytest

from rushes.facts import SourceRef
from rushes.model import Asset
from rushes.states import AssetState, Publication
from rushes.tracks import Protection, Track
from rushes.workers.audit import Fault, Seen, judge

AGREES = Seen(tombstone=False, pointers=(3, 3), build=True, source=True)
PUBLIC = Asset(
    id="a", tenant="t", created_at=1.0, state=AssetState.READY, publication=Publication.PUBLISHED, build=3,
    published_build=3, source=SourceRef(key="sources/t/a/1", size=1), policy="development",
)  # fmt: skip
SEALED = Track(
    name="720p", kind="video", prefix="media/a/t/r/1/720p/", codecs="avc1.64001f", timescale=30, segments=(),
    protection=Protection(scheme="aes-128", kid="0" * 32, iv="1" * 32),
)  # fmt: skip


def asset(**changes: Any) -> Asset:
    return PUBLIC.model_copy(update=changes)


def seen(**changes: Any) -> Seen:
    return Seen(**{**vars(AGREES), **changes})


@pytest.mark.parametrize(
    ("asset", "seen", "faults"),
    [
        (PUBLIC, AGREES, []),
        (PUBLIC, seen(source=False), []),  # the original of what is ready may have been collected
        (PUBLIC, seen(tombstone=True), [Fault.DELETED_SINCE]),
        (PUBLIC, seen(pointers=(0, 0)), [Fault.POINTER_MISSING]),
        (PUBLIC, seen(pointers=(2, 2)), [Fault.POINTER_OLD]),
        (PUBLIC, seen(pointers=(4, 4)), [Fault.POINTER_NEWER]),
        (PUBLIC, seen(pointers=(3, 0)), [Fault.POINTER_MISSING]),  # DASH alone
        (PUBLIC, seen(pointers=(3, 2)), [Fault.POINTER_OLD]),
        (asset(growing=3), seen(pointers=(0, 3)), []),  # a first look that grows has no DASH yet
        (asset(growing=3), seen(pointers=(0, 0)), [Fault.POINTER_MISSING]),
        (asset(growing=2), seen(pointers=(0, 3)), [Fault.POINTER_MISSING]),
        (asset(tracks=(SEALED,)), seen(pointers=(0, 3)), []),  # nor what is encrypted for HLS alone
        (asset(tracks=(SEALED,)), seen(pointers=(0, 2)), [Fault.POINTER_OLD]),
        (PUBLIC, seen(pointers=(0, 4)), [Fault.POINTER_NEWER]),
        (asset(publication=Publication.HELD), seen(pointers=(1, 0)), [Fault.STILL_PUBLIC]),
        (PUBLIC, seen(build=False), [Fault.BUILD_MISSING]),
        (asset(build=4), seen(pointers=(4, 4), publishing=True), []),  # just now
        (asset(build=4), seen(pointers=(4, 4)), [Fault.POINTER_NEWER]),  # nobody will say that it was
        (asset(publication=Publication.HELD), AGREES, [Fault.STILL_PUBLIC]),
        (asset(publication=Publication.HELD), seen(pointers=(0, 0)), []),
        (asset(state=AssetState.DELETED, publication=Publication.PRIVATE), AGREES, [Fault.LEFT_BEHIND]),
        (asset(state=AssetState.DELETED), seen(pointers=(0, 0), source=False, rest=True), [Fault.LEFT_BEHIND]),
        (asset(state=AssetState.DELETED), seen(pointers=(0, 0), tombstone=True, build=False, source=False), []),
        (
            asset(state=AssetState.INGESTED, publication=Publication.PRIVATE, build=0),
            Seen(tombstone=False, pointers=(0, 0), build=False, source=False),
            [Fault.SOURCE_MISSING],
        ),
    ],
)
def test_judge(asset: Asset, seen: Seen, faults: list[Fault]) -> None:
    assert judge(asset, seen) == faults
