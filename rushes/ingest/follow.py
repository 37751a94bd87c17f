"""What becomes of an asset after its upload: its steps until it is what the caller waits for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

import httpx

from rushes.ingest.patience import Patience
from rushes.ingest.wire import PushError

Wait = Literal["uploaded", "playable", "ready", "published"]
AssetJson = dict[str, Any]

DONE, OUR_FAULT, REFUSED, NOT_PUBLIC = 0, 1, 2, 3
"""Exit codes: done, our fault, the input was refused, held or blocked by policy."""
EVERY = 0.3
"""Seconds between two looks."""
_REACHED: dict[str, frozenset[str]] = {
    "uploaded": frozenset({"ingested", "playable", "ready"}),
    "playable": frozenset({"playable", "ready"}),
    "ready": frozenset({"ready"}),
}
_OVER = frozenset({"done", "skipped", "failed", "cancelled"})


def outcome(asset: AssetJson, wait: str) -> int | None:
    """The exit code, or None while it is worth waiting."""
    state, publication = asset["state"], asset["publication"]
    if state == "failed":
        return REFUSED
    if state == "deleted":
        return OUR_FAULT
    if wait == "published":
        if publication == "published":
            return DONE
        return NOT_PUBLIC if publication in ("held", "blocked") else None
    if state not in _REACHED[wait]:
        return None
    return NOT_PUBLIC if wait != "uploaded" and publication in ("held", "blocked") else DONE


def is_at_rest(asset: AssetJson) -> bool:
    """Nothing more will happen by itself: what is not so now will never be."""
    steps = asset.get("steps", [])
    return asset["state"] == "ready" and bool(steps) and all(step["state"] in _OVER for step in steps)


@dataclass
class Follower:
    server: str
    http: httpx.Client
    patience: Patience
    show: Callable[[AssetJson], None] = lambda asset: None

    def follow(self, asset: str, wait: str) -> tuple[int, AssetJson]:
        """Look until there is an outcome. Raises PushError when the server stays silent or does not know the asset."""
        rests = 0
        while True:
            record = self._look(asset)
            self.show(record)
            code = outcome(record, wait)
            if code is not None:
                return code, record
            # The verdict follows the last step by a moment; after that nobody publishes it any more.
            rests = rests + 1 if is_at_rest(record) else 0
            if rests * EVERY > 10.0:
                return NOT_PUBLIC, record
            self.patience.sleep(EVERY)

    def _look(self, asset: str) -> AssetJson:
        while True:
            error = "no answer"
            try:
                response = self.http.get(f"{self.server.rstrip('/')}/v1/assets/{asset}")
                if response.is_success:
                    self.patience.success()
                    return dict(response.json())
                error = f"it answered {response.status_code}"
                passing = response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status_code == 429
            except (httpx.HTTPError, ValueError) as problem:
                error, passing = str(problem) or type(problem).__name__, True
            if not passing or not self.patience.wait():
                raise PushError("asset_unknown", f"{self.server} does not tell of asset {asset}: {error}.", status=0)
