"""The watch page in Chromium, before a made-up server."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.playback import PlaybackFailed, play
from tests.acceptance.stub import ASSET, NOTHING, Stub, asset, playback, step

pytestmark = [pytest.mark.browser, pytest.mark.node]
HOSTILE = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>'


def test_a_published_video_plays_from_start_to_end(page: Page, stub: Stub):
    stub.put()
    report = play(page, stub.url, ASSET)
    assert report.ended
    assert report.errors == []
    assert [level["height"] for level in report.levels] == [180, 360]
    assert report.captions == 1
    assert abs(report.duration - 6) < 0.2


@pytest.mark.parametrize(("quality", "height"), [("lowest", 180), ("highest", 360), ("180p", 180)])
def test_the_address_chooses_the_quality(page: Page, stub: Stub, quality: str, height: int):
    stub.put()
    assert play(page, stub.url, ASSET, quality=quality).height == height


def test_a_single_frame_plays(page: Page, stub: Stub):
    stub.put(playback=playback("short.m3u8") | {"storyboard": None})
    report = play(page, stub.url, ASSET)
    assert report.width == 320
    assert report.ended


def test_a_broken_stream_is_reported_with_its_stage_and_said_on_the_page(page: Page, stub: Stub):
    stub.put(playback=playback("nothing.m3u8"))
    for seconds in (3, 30):  # a busy machine may not have come to the error in three
        with pytest.raises(PlaybackFailed, match="first frame") as failed:
            play(page, stub.url, ASSET, timeout=seconds)
        if "manifestLoadError" in str(failed.value):
            break
    assert "manifestLoadError" in str(failed.value)
    expect(page.get_by_role("alert")).to_contain_text("The video is not there, or is not there any more.")


def test_the_record_is_shown(page: Page, stub: Stub):
    stub.put()
    page.goto(f"{stub.url}/watch/{ASSET}")
    expect(page.get_by_role("heading", name="Harbour at dawn")).to_be_visible()
    expect(page.get_by_role("table", name="Renditions")).to_contain_text("640 × 360")
    expect(page.get_by_role("table", name="Renditions")).to_contain_text("29.97 fps")
    expect(page.get_by_role("table", name="Labels")).to_contain_text("91 %")
    expect(page.get_by_text("Published under policy development@1, rule default.")).to_be_visible()
    expect(page.get_by_text("nudenet did not run (not installed)")).to_be_visible()
    assert page.title() == "Harbour at dawn · rushes"


def test_cues_and_labels_seek(page: Page, stub: Stub):
    stub.put()
    page.goto(f"{stub.url}/watch/{ASSET}")
    page.wait_for_function("() => window.rushesPlayer?.video.readyState >= 2")
    page.evaluate("() => { window.rushesPlayer.video.muted = true; }")
    page.get_by_role("button", name="Bars and tone").click()
    page.wait_for_function("() => window.rushesPlayer.video.currentTime > 3.1")
    expect(page.locator(".cues [aria-current]")).to_have_text(re.compile("Bars and tone"))
    page.evaluate("() => window.rushesPlayer.video.pause()")
    page.get_by_role("button", name="0:03 – 0:04").click()
    page.wait_for_function("() => !window.rushesPlayer.video.paused && window.rushesPlayer.video.currentTime < 4.4")


def test_captions_can_be_switched_on_and_the_choice_is_kept(page: Page, stub: Stub):
    stub.put()
    page.goto(f"{stub.url}/watch/{ASSET}")
    button = page.get_by_role("button", name="Captions")
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    showing = (
        "() => [...window.rushesPlayer.video.textTracks].some((t) => t.mode === 'showing' && t.cues?.length === 2)"
    )
    page.wait_for_function(showing)
    page.reload()
    expect(page.get_by_role("button", name="Captions")).to_have_attribute("aria-pressed", "true")
    page.wait_for_function(showing)


def test_the_keyboard_and_the_buttons_work_the_player(page: Page, stub: Stub):
    stub.put()
    page.goto(f"{stub.url}/watch/{ASSET}")
    page.wait_for_function("() => window.rushesPlayer?.video.readyState >= 2")
    page.get_by_role("button", name="Sound off").click()
    expect(page.get_by_role("button", name="Sound on")).to_be_visible()
    page.get_by_role("region", name="Player").focus()
    page.keyboard.press("k")
    page.wait_for_function("() => window.rushesPlayer.video.currentTime > 0.2")
    page.keyboard.press("k")
    page.wait_for_function("() => window.rushesPlayer.video.paused")
    before = page.evaluate("() => window.rushesPlayer.video.currentTime")
    page.get_by_role("region", name="Player").press("ArrowRight")
    page.wait_for_function("(before) => window.rushesPlayer.video.currentTime > before + 2", arg=before)


def test_the_seek_bar_shows_the_storyboard(page: Page, stub: Stub):
    stub.put()
    page.goto(f"{stub.url}/watch/{ASSET}")
    page.wait_for_function("() => window.rushesPlayer?.video.duration > 5")
    bar = page.get_by_role("slider", name="Position")
    box = bar.bounding_box()
    assert box
    with page.expect_response("**/sprite.jpg"):
        page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    expect(page.locator(".preview .tile")).to_have_css("background-position", "-160px -90px")
    expect(page.locator(".preview")).to_contain_text("0:04")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"state": "uploading", "publication": "private"}, "still being uploaded"),
        ({"state": "ingested", "publication": "private"}, "is being processed"),
        ({"state": "failed", "reason": {"code": "not_media", "message": "This file is not a video."}}, "This file is not a video."),
        ({"state": "deleted"}, "was deleted"),
        ({"publication": "held"}, "waits for a review"),
        ({"publication": "blocked"}, "was blocked by the moderation policy"),
    ],
)  # fmt: skip
def test_what_cannot_be_played_says_why(page: Page, stub: Stub, changes: dict[str, object], sentence: str):
    stub.put(**({"playback": NOTHING} | changes))
    page.goto(f"{stub.url}/watch/{ASSET}")
    expect(page.locator("#stage")).to_contain_text(sentence)


def test_an_owner_sees_the_private_preview_and_is_told(page: Page, stub: Stub):
    stub.put(publication="held", playback=NOTHING | {"private": playback()})
    report = play(page, stub.url, ASSET)
    assert report.ended
    expect(page.locator("#notice")).to_contain_text("waits for a review")


def test_no_such_video(page: Page, stub: Stub):
    page.goto(f"{stub.url}/watch/{ASSET}")
    expect(page.locator("#stage")).to_contain_text("There is no video at this address.")
    assert page.goto(f"{stub.url}/watch/nonsense").status == 404  # type: ignore[union-attr]  # a page was loaded
    expect(page.locator("main")).to_contain_text("There is no video at this address.")


def test_hostile_texts_stay_texts(page: Page, stub: Stub):
    labels = [{"name": HOSTILE, "parents": [HOSTILE], "score": 1, "start": 0, "end": 1, "detector": HOSTILE}]
    stub.put(title=HOSTILE, labels=labels, notes=[{"code": "x", "message": HOSTILE}])
    page.goto(f"{stub.url}/watch/{ASSET}")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.get_by_role("table", name="Labels")).to_contain_text("onerror")
    assert page.evaluate("() => window.broken") is None
    assert page.locator("main img").count() == 0


def test_addresses_that_run_scripts_are_dropped(page: Page, stub: Stub):
    stub.put(playback=playback() | {"dash": "javascript:window.broken=1"})
    page.goto(f"{stub.url}/watch/{ASSET}")
    expect(page.get_by_text("DASH", exact=True)).to_have_attribute("href", "")


def test_the_player_appears_when_the_video_becomes_playable(page: Page, stub: Stub):
    # Given a video that is being processed
    stub.put(state="ingested", publication="private", playback=NOTHING, steps=[step("encode", "ready")])
    page.goto(f"{stub.url}/watch/{ASSET}")
    expect(page.locator("#stage")).to_contain_text("is being processed")
    # When progress arrives, it is shown
    stub.tell("progress", {"steps": [step("encode", "running", 0.42)]})
    expect(page.get_by_text("42 %")).to_be_visible()
    # Then the player comes by itself, and later builds are offered, not forced upon a viewer
    stub.tell("asset", asset(state="playable", build=1, steps=[step("encode", "running", 0.9)]))
    page.wait_for_function("() => window.rushesPlayer?.video.readyState >= 2")
    page.evaluate("() => { window.rushesPlayer.video.muted = true; return window.rushesPlayer.video.play(); }")
    page.wait_for_function("() => window.rushesPlayer.video.currentTime > 0.5")
    stub.tell("asset", asset(build=2))
    page.get_by_role("button", name="Switch to the better version").click()
    page.wait_for_function("() => window.rushesPlayer.video.currentTime > 0.6 && !window.rushesPlayer.video.paused")


def test_a_cut_event_stream_is_taken_up_again(page: Page, stub: Stub):
    stub.put(state="ingested", publication="private", playback=NOTHING, steps=[])
    page.goto(f"{stub.url}/watch/{ASSET}")
    expect(page.locator("#stage")).to_contain_text("is being processed")
    with page.expect_request("**/events"):
        stub.tell("cut", None)
    stub.events.clear()
    stub.tell("asset", asset())
    page.wait_for_function("() => window.rushesPlayer?.video.readyState >= 2")


def test_without_a_key_what_is_published_plays_all_the_same(page: Page, stub: Stub):
    stub.put()
    stub.key = "0123456789abcdef"
    assert play(page, stub.url, ASSET).ended


def test_without_a_key_what_is_private_asks_for_one(page: Page, stub: Stub):
    stub.put(publication="private", playback=NOTHING | {"private": playback()})
    stub.key = "0123456789abcdef"
    page.goto(f"{stub.url}/watch/{ASSET}")
    page.get_by_label("This server asks for an API key").fill("wrong")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("did not accept that key")).to_be_visible()
    page.get_by_label("This server asks for an API key").fill(stub.key)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_function("() => window.rushesPlayer?.video.readyState >= 2")
    assert page.evaluate("() => Object.keys(localStorage).length") == 0
