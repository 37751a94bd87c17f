"""Pushes files into a running stack and waits for what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
from tusclient.client import TusClient
from tusclient.exceptions import TusUploadFailed

from rushes.clock import SystemClock, pause

Record = dict[str, Any]
OPEN = ("waiting", "ready", "running")


def upload(url: str, file: Path, **metadata: str) -> str:
    """Send a file whole, or as far as the server takes it; gives the asset's id."""
    uploader = TusClient(f"{url}/files").uploader(str(file), metadata={"filename": file.name, **metadata})
    uploader.set_url(uploader.create_url())
    asset: str = httpx.head(uploader.url, headers={"Tus-Resumable": "1.0.0"}).headers["Rushes-Asset"]
    try:
        uploader.upload()
    except TusUploadFailed:  # what cannot become a video is refused while it is sent
        if record(url, asset)["state"] != "failed":
            raise
    return asset


def record(url: str, asset: str) -> Record:
    answer = httpx.get(f"{url}/v1/assets/{asset}")
    answer.raise_for_status()
    found: Record = answer.json()
    return found


def until(url: str, asset: str, condition: Callable[[Record], bool], patience: float = 240.0) -> Record:
    """Poll until the condition holds. Raises TimeoutError with the last record."""
    clock = SystemClock()
    deadline = clock.monotonic() + patience
    while True:
        found = record(url, asset)
        if condition(found):
            return found
        if clock.monotonic() > deadline:
            raise TimeoutError(f"{found['title']} after {patience:.0f} s: {found['state']} {found['steps']}")
        pause(0.2)


def settled(found: Record) -> bool:
    """Nothing is left to be done for it."""
    return found["state"] != "uploading" and all(step["state"] not in OPEN for step in found["steps"])


def all_settled(url: str, assets: Iterable[str], patience: float = 240.0) -> list[Record]:
    return [until(url, asset, settled, patience) for asset in assets]
