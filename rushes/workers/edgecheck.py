"""The doctor's look at the caches in front of us: whether they would forget what is taken down."""

from __future__ import annotations

import asyncio

from rushes.packaging.purge import requests
from rushes.packaging.purge_setup import purge_settings
from rushes.packaging.purging import send
from rushes.settings import Settings, SettingsError
from rushes.workers.doctor import Check

NOBODY = "0" * 26
"""An asset that is not there: to purge it harms nobody."""


def purge(settings: Settings) -> Check:
    """Caches of ours are asked to forget something; those of others only when there is something to forget."""
    name, remedy = "caches", "See docs/delivery.md: RUSHES_PURGE, RUSHES_PURGE_URL, RUSHES_PURGE_SECRET."
    try:
        found = purge_settings(settings)
    except SettingsError as error:
        return Check(name, False, str(error), remedy)
    if found is None:
        return Check(
            name, True, "none is told of takedowns (RUSHES_PURGE=off): what they keep stays until they need the room"
        )
    if found.kind == "http":
        return Check(name, True, f"told by {found.method} to {len(found.urls)} addresses; not tried")
    wanted = list(requests(found, NOBODY, [f"/media/{NOBODY}/doctor.m4s"]))
    wrong = asyncio.run(send(found, wanted))
    if wrong:
        return Check(name, False, "; ".join(wrong), remedy)
    return Check(name, True, f"{len(found.urls)} of {found.kind} forget when told")
