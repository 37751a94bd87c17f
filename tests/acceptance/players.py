"""Plays an asset with hls.js, dash.js, Shaka Player and the browser's own HLS, and says what each could not do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as BrowserError

from tests.services.node import NODE, installed

PLAYERS = ("hlsjs", "dashjs", "shaka", "shakahls", "native")
"""Shaka Player by DASH and by HLS; `native` is left out where the browser has no HLS of its own."""
STAGES = ("end", "rungs", "seeks", "captions", "storyboard")
LIBRARIES = (
    "hls.js/dist/hls.min.js",
    "dashjs/dist/modern/umd/dash.all.min.js",
    "shaka-player/dist/shaka-player.compiled.js",
)
STALL = 500.0
"""Milliseconds without a new position that nobody may see on a fast network."""
SLOW = 600_000
"""Bit/s of the slow network."""
PAGE = "players-under-test"
HTML = "<!doctype html><title>Players</title><video playsinline></video>"


@dataclass(frozen=True)
class Verdict:
    """Of one player on one asset. `failed`: stage -> what did not come to pass; `stall` in milliseconds, the longest."""

    player: str
    failed: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    stall: float = 0.0
    stall_ahead: float = 0.0
    """Seconds that were buffered when it stalled: much of it means that the machine was slow, not the stream."""
    start: float = 0.0
    seeks: tuple[float, ...] = ()
    """Milliseconds from the wish to the next new picture."""
    heights: tuple[int, ...] = ()
    captions: str = ""
    """The words that were on the screen."""
    tile: tuple[int, ...] = ()
    """Width and height of the storyboard's picture that the player found."""

    @property
    def good(self) -> bool:
        return not self.failed and not self.errors and self.stall <= STALL


def cues(address: str | None) -> list[dict[str, Any]]:
    """(start, end, text) of a WebVTT file, as dicts; those long enough to be met."""
    if not address:
        return []
    found = []
    for block in httpx.get(address).text.replace("\r", "").split("\n\n"):
        rows = block.strip().split("\n")
        at = next((number for number, row in enumerate(rows) if " --> " in row), None)
        if at is not None:
            start, end = (_seconds(part.split()[0]) for part in rows[at].split(" --> "))
            found.append({"start": start, "end": end, "text": " ".join(rows[at + 1 :])})
    return [cue for cue in found if cue["text"].strip() and cue["end"] - cue["start"] >= 0.1]


def _seconds(stamp: str) -> float:
    total = 0.0
    for part in stamp.split(":"):
        total = total * 60 + float(part)
    return total


def description(url: str, asset: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{url}/v1/playback/{asset}").raise_for_status().json()
    return found


def check(browser: Browser, url: str, asset: str, player: str, *, most: float = 10.0) -> Verdict | None:
    """None where the browser lacks the player. `most`: seconds played at either end of what is too long to be played whole."""
    (verdict,) = check_together(browser, url, asset, (player,), most=most)
    return verdict


def check_together(
    browser: Browser, url: str, asset: str, players: Sequence[str], *, most: float = 10.0
) -> list[Verdict | None]:
    """All players at the same time, a page each."""
    known = description(url, asset)
    captions = [one["url"] for one in known["captions"]]
    options = {"most": most, "stages": STAGES, "cues": cues(captions[0]) if captions else []}
    pages = {player: opened(browser, url) for player in players}
    for player, page in pages.items():
        page.evaluate(
            "([name, urls, options]) => void (window.job = run(name, urls, options))", [player, known, options]
        )
    return [_verdict(player, page) for player, page in pages.items()]


def _verdict(player: str, page: Page) -> Verdict | None:
    try:
        seen = page.evaluate("() => window.job")
    except BrowserError as error:
        seen = {"failed": {"browser": str(error)[:200]}, "errors": []}
    finally:
        page.context.close()
    if seen is None:
        return None
    stall = seen.get("stall", {"worst": 0.0, "ahead": 0.0})
    return Verdict(
        player, seen["failed"], seen["errors"], round(stall["worst"]), round(stall["ahead"], 2),
        round(seen.get("start", 0)), tuple(map(round, seen.get("seeks", ()))), tuple(seen.get("heights", ())),
        seen.get("captions", ""), tuple(seen.get("tile", ())),
    )  # fmt: skip


def slow(browser: Browser, url: str, asset: str, player: str) -> str:
    """The network becomes slow while the best picture plays: `1080 -> 240`, or what did not come to pass."""
    page = opened(browser, url)
    try:
        before = page.evaluate("([name, urls]) => begin(name, urls)", [player, description(url, asset)])
        bytes_ = SLOW // 8
        wire = {"offline": False, "latency": 40, "downloadThroughput": bytes_, "uploadThroughput": bytes_}
        page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", wire)
        after = page.evaluate("([limit, seconds]) => adapt(limit, seconds)", [SLOW, 60])
    except BrowserError as error:
        return f"FAILED: {str(error)[:150]}"
    finally:
        page.context.close()
    return f"{before} -> {after['height']}" + (f", errors {after['errors']}" if after["errors"] else "")


def is_worth_slowing(known: dict[str, Any], renditions: list[dict[str, Any]]) -> bool:
    """Its best picture does not fit through the slow network, its least does, and it is longer than what is buffered."""
    rates = [rung["peak_bitrate"] for rung in renditions]
    return known["duration"] >= 18 and max(rates) > 1.2 * SLOW and min(rates) < 0.8 * SLOW


def opened(browser: Browser, url: str) -> Page:
    """A page of the server's own origin with the players in it."""
    installed()
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.route(f"**/{PAGE}", lambda route: route.fulfill(body=HTML, content_type="text/html"))
    page.goto(f"{url}/{PAGE}")
    for library in LIBRARIES:
        page.add_script_tag(path=NODE / "node_modules" / library)
    page.add_script_tag(path=Path(__file__).with_name("players.js"))
    return page
