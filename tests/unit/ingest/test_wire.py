from __future__ import annotations

import pytest

from rushes.ingest.wire import PushError


@pytest.mark.parametrize(
    ("status", "refused"),
    [(400, True), (413, True), (415, True), (422, True), (0, False), (401, False), (409, False), (503, False)],
)
def test_what_the_server_does_not_take_is_a_refusal(status: int, refused: bool) -> None:
    assert PushError("code", "A sentence.", status=status).is_refusal is refused
