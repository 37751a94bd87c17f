"""What an asset waits for, as it is answered."""

from __future__ import annotations

from typing import Literal

from rushes.api.models import View
from rushes.catalog.why import Explanation


class Blocker(View):
    code: str
    """A word for it, such as `no_worker`, `backing_off`, `more_urgent`, `running`, `held`."""
    message: str
    step: str | None = None
    pool: str | None = None


class Eta(View):
    """Seconds from now."""

    seconds: float
    earliest: float
    latest: float
    """In four cases of five it is between the two."""
    confidence: Literal["high", "medium", "low"]


class WhyView(View):
    asset: str
    why: str
    """All of it in words."""
    blocker: Blocker
    """What exactly keeps it from going on."""
    until: Literal["ready", "complete"] | None = None
    """What the ETA is of. Null: there is nothing to wait for."""
    eta: Eta | None = None
    """Null where nobody works on it, or its work is not known yet."""


def why_view(asset: str, found: Explanation) -> WhyView:
    values = found.model_dump() | {"until": found.until or None}
    values["blocker"] |= {"step": found.blocker.step or None, "pool": found.blocker.pool or None}
    return WhyView.model_validate(values | {"asset": asset})
