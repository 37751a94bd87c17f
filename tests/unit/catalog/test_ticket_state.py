from __future__ import annotations

import pytest

from rushes.catalog.records import Ticket, TicketUpload
from rushes.catalog.tickets import state_of
from rushes.noun import Reason
from rushes.states import AssetState, TicketState

NOW = 1_750_000_000.0
OPEN = ("open", AssetState.UPLOADING, None)
DONE = ("finished", AssetState.READY, None)
TAKEN_DOWN = ("finished", AssetState.DELETED, None)
BROKEN = ("finished", AssetState.FAILED, "not_media")
REFUSED = ("terminated", AssetState.FAILED, "not_media")
EXPIRED = ("terminated", AssetState.FAILED, "upload_expired")
GIVEN_UP = ("terminated", AssetState.DELETED, None)
Made = tuple[str, AssetState, str | None]


def state(*made: Made, places: int = 1, left: float = 60.0, cancelled: bool = False) -> TicketState:
    ticket = Ticket(
        id="k", tenant="t", secret="s", places=places, created_at=NOW - 60, expires_at=NOW + left,
        cancelled_at=NOW if cancelled else None,
    )  # fmt: skip
    uploads = [
        TicketUpload(
            id=str(number), state=how, length=1, asset="a", asset_state=asset,  # type: ignore[arg-type] # one of three
            reason=Reason(code=code, message=code) if code else None,
        )
        for number, (how, asset, code) in enumerate(made)
    ]  # fmt: skip
    return state_of(ticket, uploads, NOW)


@pytest.mark.parametrize(
    ("made", "options", "expected"),
    [
        ([], {}, TicketState.WAITING),
        ([], {"left": 0.0}, TicketState.TIMED_OUT),
        ([], {"cancelled": True}, TicketState.CANCELLED),
        ([OPEN], {}, TicketState.WAITING),
        ([OPEN], {"left": -60.0}, TicketState.WAITING),
        ([OPEN], {"cancelled": True}, TicketState.CANCELLED),
        ([GIVEN_UP], {}, TicketState.WAITING),
        ([GIVEN_UP], {"left": 0.0}, TicketState.TIMED_OUT),
        ([EXPIRED], {"left": -60.0}, TicketState.TIMED_OUT),
        ([REFUSED], {"left": -60.0}, TicketState.ERRORED),
        ([REFUSED], {}, TicketState.WAITING),
        ([DONE], {}, TicketState.ASSET_CREATED),
        ([DONE], {"cancelled": True}, TicketState.ASSET_CREATED),
        ([TAKEN_DOWN], {}, TicketState.ASSET_CREATED),
        ([BROKEN], {}, TicketState.ERRORED),
        ([BROKEN], {"places": 2}, TicketState.WAITING),
        ([BROKEN, DONE], {"places": 2}, TicketState.ASSET_CREATED),
        ([BROKEN, EXPIRED], {"places": 2, "left": 0.0}, TicketState.ERRORED),
    ],
)
def test_the_state_follows_from_what_became_of_the_uploads(
    made: list[Made], options: dict[str, float], expected: TicketState
) -> None:
    assert state(*made, **options) is expected  # type: ignore[arg-type] # options by name
