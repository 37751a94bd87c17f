"""The embedded player in Chromium: in frames of other web sites, by the options of its address, before a made-up server."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Frame, Page, expect

from tests.acceptance.stub import ASSET, Stub

pytestmark = [pytest.mark.browser, pytest.mark.node]
READY = "() => window.rushesPlayer?.video.readyState >= 2"
HOSTILE = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>'


def framed(page: Page, stub: Stub, query: str, attributes: str) -> Frame:
    """The player in a frame of another web site: the same machine by another name."""
    address = f"{stub.url}/embed/{ASSET}{query}"
    stub.blog = f'<iframe src="{address}" width="480" height="270" {attributes}></iframe>'
    page.goto(stub.url.replace("127.0.0.1", "localhost") + "/blog")
    return next(frame for frame in page.frames if frame.url == address)


@pytest.mark.parametrize(
    "attributes",
    ['allow="autoplay; fullscreen"', 'sandbox="allow-scripts"', 'sandbox="allow-scripts allow-same-origin"'],
)
def test_it_plays_in_a_frame_of_another_web_site(page: Page, stub: Stub, attributes: str):
    stub.put(title=HOSTILE)
    frame = framed(page, stub, "?muted=1", attributes)
    frame.wait_for_function(READY)
    frame.get_by_role("button", name="Play").first.click()
    frame.wait_for_function("() => window.rushesPlayer.video.currentTime > 0.5")
    # The title is a title, nothing is kept in cookies, and the server learns that it is watched
    expect(frame.locator(".title")).to_have_text(HOSTILE)
    assert frame.evaluate("() => window.broken") is None
    assert page.context.cookies() == []
    assert stub.plays == [ASSET]


def test_no_key_is_sent_anywhere(page: Page, stub: Stub):
    # Given a browser that holds a key of this server, as an owner's does
    stub.put()
    page.goto(f"{stub.url}/ops")
    page.evaluate("() => sessionStorage.setItem('rushes-key', 'secret-of-the-owner')")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(str(request.headers) + request.url))
    # When the embedded player plays and shows the storyboard
    page.goto(f"{stub.url}/embed/{ASSET}?autoplay=1&muted=1")
    page.wait_for_function("() => window.rushesPlayer?.video.currentTime > 0.2")
    # Then nothing of it was on the wire
    assert any("storyboard.vtt" in one for one in sent)
    assert [one for one in sent if "secret-of-the-owner" in one] == []


def test_the_address_says_how_it_begins(page: Page, stub: Stub):
    stub.put()
    page.goto(f"{stub.url}/embed/{ASSET}?autoplay=1&muted=1&loop=1&start=4&captions=en")
    page.wait_for_function("() => window.rushesPlayer?.video.currentTime > 4")
    seen = page.evaluate("() => { const { muted, loop } = window.rushesPlayer.video; return { muted, loop }; }")
    assert seen == {"muted": True, "loop": True}
    page.wait_for_function(
        "() => [...window.rushesPlayer.video.textTracks].some((t) => t.mode === 'showing' && t.activeCues?.length)"
    )
    page.wait_for_function("() => window.rushesPlayer.video.currentTime < 2")  # from the end to the start again
    assert page.evaluate("() => Object.keys(localStorage).length") == 0


def test_options_that_make_no_sense_change_nothing(page: Page, stub: Stub):
    stub.put()
    page.goto(f"{stub.url}/embed/{ASSET}?autoplay=perhaps&start=-5&captions=%3Cb%3E&loop=2&token=../../v1")
    page.wait_for_function(READY)
    seen = page.evaluate(
        "() => { const { paused, loop, currentTime } = window.rushesPlayer.video; return { paused, loop, currentTime }; }"
    )
    assert seen == {"paused": True, "loop": False, "currentTime": 0}


def test_quality_and_speed_are_behind_the_settings(page: Page, stub: Stub):
    stub.put()
    page.goto(f"{stub.url}/embed/{ASSET}")
    page.wait_for_function(READY)
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Speed").select_option("1.5 ×")
    assert page.evaluate("() => window.rushesPlayer.video.playbackRate") == 1.5
    page.get_by_label("Quality").select_option("180p")
    page.get_by_role("group", name="Settings").press("Escape")
    expect(page.get_by_role("group", name="Settings")).to_be_hidden()
    page.get_by_role("region", name="Player").press(">")
    assert page.evaluate("() => window.rushesPlayer.video.playbackRate") == 1.75
    page.get_by_role("region", name="Player").press("k")
    page.wait_for_function("() => window.rushesPlayer.video.videoHeight === 180")


def test_the_stand_in_is_painted_before_the_poster(page: Page, stub: Stub):
    stub.put()
    page.route("**/poster.jpg", lambda route: route.abort())
    page.route("**/*.m3u8*", lambda route: route.abort())
    page.goto(f"{stub.url}/embed/{ASSET}")
    expect(page.locator("canvas.placeholder")).to_be_visible()
    painted = page.wait_for_function(
        "() => { const canvas = document.querySelector('canvas.placeholder');"
        " return canvas.width === 32 && [...canvas.getContext('2d').getImageData(0, 0, 1, 1).data]; }"
    ).json_value()
    assert painted == pytest.approx([21, 34, 149, 255], abs=2)


def test_a_touch_first_shows_the_controls(page: Page, stub: Stub):
    stub.put()
    touching = page.context.browser.new_context(has_touch=True, viewport={"width": 320, "height": 180})  # type: ignore[union-attr]  # a page of a browser
    small = touching.new_page()
    small.goto(f"{stub.url}/embed/{ASSET}?autoplay=1&muted=1")
    small.wait_for_function("() => window.rushesPlayer?.video.currentTime > 0.1")
    small.locator(".player").evaluate("(player) => player.classList.add('idle')")
    small.touchscreen.tap(160, 60)
    expect(small.locator(".player")).not_to_have_class(re.compile("idle"))
    assert small.evaluate("() => window.rushesPlayer.video.paused") is False
    small.touchscreen.tap(160, 60)
    small.wait_for_function("() => window.rushesPlayer.video.paused")
    touching.close()


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(403, "needs a valid link"), (404, "is not there, or is not public"), (503, "The server has a problem")],
)
def test_errors_are_sentences(page: Page, stub: Stub, status: int, sentence: str):
    page.route("**/v1/playback/*", lambda route: route.fulfill(status=status, body="no", content_type="text/plain"))
    page.goto(f"{stub.url}/embed/{ASSET}")
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    # And once it is there, trying again plays it
    page.unroute("**/v1/playback/*")
    stub.put()
    page.get_by_role("button", name="Try again").click()
    page.wait_for_function(READY)


def test_requests_for_media_say_what_they_are_for(page: Page, stub: Stub):
    stub.put()
    with page.expect_request(re.compile(r"\.m4s\?.*CMCD=")) as found:
        page.goto(f"{stub.url}/embed/{ASSET}")
    assert f"cid%3D%22{ASSET}%22" in found.value.url
