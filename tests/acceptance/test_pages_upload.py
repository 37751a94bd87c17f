"""The upload page in Chromium, before a made-up server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.acceptance.stub import ASSET, NOTHING, Stub, asset, step

pytestmark = [pytest.mark.browser, pytest.mark.node]
SIZE = 24_000_000  # more than the buffers on the way take, so that an upload can be met half-way
HOSTILE = "<img src=x onerror=window.broken=1>"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "my clip.mp4"
    path.write_bytes(bytes(range(256)) * (SIZE // 256))
    return path


def choose(page: Page, *paths: Path) -> None:
    page.get_by_label("Drop videos here").set_input_files(paths)


def card(page: Page, name: str = "my clip") -> Locator:
    return page.get_by_role("article", name=name, exact=True)


def test_an_upload_goes_from_file_to_player(page: Page, stub: Stub, clip: Path):
    page.goto(stub.url)
    expect(page.get_by_text("No videos yet.")).to_be_visible()
    stub.put(
        state="ingested", publication="private", playback=NOTHING, title="my clip", steps=[step("probe", "running")]
    )
    choose(page, clip)
    # Then every byte arrives, with the file's name
    expect(card(page)).to_contain_text("Reading the file")
    assert stub.uploads["up0"] == clip.read_bytes()
    assert stub.created == [{"filename": "my clip.mp4", "filetype": "video/mp4", "title": "my clip"}]
    # and the progress of the steps is shown in words
    stub.tell("progress", {"steps": [step("encode", "running", 0.5), step("audio", "done")]})
    expect(card(page)).to_contain_text("Encoding every quality")
    expect(card(page)).to_contain_text("50 %")
    # and in the end the player stands in its place, with links
    stub.tell("asset", asset(title="my clip"))
    stub.tell("end", {"state": "ready"})
    page.wait_for_function("() => window.rushesPlayer?.video.readyState >= 2")
    expect(card(page).get_by_role("link", name="Watch page")).to_have_attribute("href", f"/watch/{ASSET}")
    expect(card(page).locator(".badge")).to_have_text("Published")
    expect(card(page).locator(".checklist")).to_be_hidden()


def test_a_failure_gives_its_reason(page: Page, stub: Stub, clip: Path):
    reason = {"code": "not_media", "message": "This file is not a video that we can read."}
    failed = [step("probe", "failed", reason=reason), step("encode", "cancelled")]
    stub.put(state="failed", publication="private", playback=NOTHING, title="my clip", reason=reason, steps=failed)
    page.goto(stub.url)
    choose(page, clip)
    expect(card(page).locator(".status")).to_have_text(reason["message"])
    expect(card(page).locator(".badge")).to_have_text("Failed")


def test_pause_and_resume_go_on_where_they_stopped(page: Page, stub: Stub, clip: Path):
    stub.slow = True
    page.goto(stub.url)
    choose(page, clip)
    page.wait_for_function("() => document.querySelector('.card progress')?.value > 0.05")
    card(page).get_by_role("button", name="Pause").click()
    expect(card(page)).to_contain_text("Paused at")
    stub.slow = False
    stub.put(title="my clip")
    with page.expect_request(lambda request: request.method == "PATCH") as resumed:
        card(page).get_by_role("button", name="Resume").click()
    assert int(resumed.value.headers["upload-offset"]) > 0
    expect(card(page).locator(".badge")).to_have_text("Published")
    assert stub.uploads["up0"] == clip.read_bytes()
    assert len(stub.created) == 1


def test_after_a_reload_the_same_file_goes_on(page: Page, stub: Stub, clip: Path):
    # Given an upload that a reload interrupts
    stub.slow = True
    page.goto(stub.url)
    choose(page, clip)
    page.wait_for_function("() => Object.keys(localStorage).some((key) => key.startsWith('tus::'))")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    stub.slow = False
    # When the page shows it as unfinished and the same file is chosen
    expect(page.get_by_text("These uploads are not complete.")).to_be_visible()
    stub.put(title="my clip")
    choose(page, clip)
    # Then it is not created again, and no trace is left in the browser
    expect(card(page).locator(".badge")).to_have_text("Published")
    assert stub.uploads["up0"] == clip.read_bytes()
    assert len(stub.created) == 1
    page.wait_for_function("() => Object.keys(localStorage).length === 0")


def test_cancel_makes_the_server_forget(page: Page, stub: Stub, clip: Path):
    stub.slow = True
    page.goto(stub.url)
    choose(page, clip)
    page.wait_for_function("() => Object.keys(localStorage).some((key) => key.startsWith('tus::'))")
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        card(page).get_by_role("button", name="Cancel").click()
    expect(page.locator(".card")).to_have_count(0)
    assert stub.uploads == {}


def test_an_unfinished_upload_can_be_discarded(page: Page, stub: Stub, clip: Path):
    stub.slow = True
    page.goto(stub.url)
    choose(page, clip)
    page.wait_for_function("() => Object.keys(localStorage).some((key) => key.startsWith('tus::'))")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    stub.slow = False
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        page.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("These uploads are not complete.")).to_have_count(0)
    assert stub.uploads == {}


def test_a_cut_connection_is_survived(page: Page, stub: Stub, clip: Path):
    stub.put(title="my clip")
    page.goto(stub.url)
    cuts = iter([True, True, False])
    page.route(
        "**/files/*",
        lambda route: route.abort() if route.request.method == "PATCH" and next(cuts, False) else route.continue_(),
    )
    choose(page, clip)
    expect(card(page).locator(".badge")).to_have_text("Published", timeout=60_000)
    assert stub.uploads["up0"] == clip.read_bytes()


def test_a_refused_upload_says_why_and_can_be_tried_again(page: Page, stub: Stub, clip: Path):
    stub.refuse_uploads = (413, {"code": "over_limit_bytes", "detail": "The file is larger than the limit."})
    page.goto(stub.url)
    choose(page, clip)
    expect(card(page).locator(".status")).to_have_text("The file is larger than the limit.")
    stub.refuse_uploads = None
    stub.put(title="my clip")
    card(page).get_by_role("button", name="Try again").click()
    expect(card(page).locator(".badge")).to_have_text("Published")


def test_several_files_at_once_four_at_a_time(page: Page, stub: Stub, tmp_path: Path):
    stub.slow = True
    paths = [tmp_path / f"clip {number}.mp4" for number in range(6)]
    for path in paths:
        path.write_bytes(path.name.encode() * 50_000)
    page.goto(stub.url)
    choose(page, *paths)
    expect(page.locator(".card")).to_have_count(6)
    expect(page.locator(".card .badge", has_text="Waiting")).to_have_count(2)
    stub.put()
    stub.slow = False
    expect(page.locator(".card .badge", has_text="Published")).to_have_count(6)
    assert sorted(map(bytes, stub.uploads.values())) == sorted(path.read_bytes() for path in paths)


def test_files_can_be_dropped(page: Page, stub: Stub):
    stub.put(title="dropped")
    page.goto(stub.url)
    transfer = page.evaluate_handle(
        "() => { const all = new DataTransfer(); all.items.add(new File(['x'.repeat(9)], 'dropped.webm')); return all; }"
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    expect(card(page, "dropped").locator(".badge")).to_have_text("Published")
    assert bytes(stub.uploads["up0"]) == b"x" * 9


def test_a_key_is_asked_for_and_used(page: Page, stub: Stub, clip: Path):
    stub.key = "0123456789abcdef"
    stub.put(title="my clip")
    page.goto(stub.url)
    page.get_by_label("This server asks for an API key").fill(stub.key)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("link", name="my clip")).to_be_visible()
    choose(page, clip)
    expect(card(page).locator(".badge")).to_have_text("Published")
    page.reload()
    expect(page.get_by_role("link", name="my clip")).to_be_visible()


def test_hostile_names_stay_texts(page: Page, stub: Stub, tmp_path: Path):
    path = tmp_path / f"{HOSTILE}.mp4"
    path.write_bytes(b"x")
    stub.put(title=HOSTILE)
    page.goto(stub.url)
    choose(page, path)
    expect(page.locator(".card h3")).to_have_text(HOSTILE)
    expect(page.locator(".tiles .title")).to_have_text(HOSTILE)
    assert page.evaluate("() => window.broken") is None


def test_the_list_goes_on_where_a_page_ends(page: Page, stub: Stub):
    for number in range(30):
        stub.put(identity=f"01jabcdefghjkmnpqrstvwxy{number:02}", title=f"Video {number}")
    page.goto(stub.url)
    expect(page.locator(".tiles li")).to_have_count(12)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".tiles li")).to_have_count(24)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".tiles li")).to_have_count(30)
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()
    titles = page.locator(".tiles .title").all_inner_texts()
    assert titles == [f"Video {number}" for number in reversed(range(30))]


def test_the_operations_page_follows_the_fleet(page: Page, stub: Stub):
    pool = {
        "pool": "video",
        "ready": 3,
        "running": 1,
        "waiting": 7,
        "backlog_seconds": 125.0,
        "oldest_ready_seconds": 31.0,
        "workers": 1,
        "cores": 4.0,
        "paused": False,
        "reason": "",
    }
    worker = {
        "id": "host:1",
        "pools": ["video", "io"],
        "slots": 4,
        "started_at": "2025-06-15T15:00:00.000Z",
        "seen_at": "2025-06-15T15:10:00.000Z",
        "state": "draining",
        "reason": "asked to",
        "speed": 0.9,
        "steps": [f"{ASSET}/encode.0"],
    }
    stub.fleet = {"pools": [pool], "workers": [worker]}
    page.goto(f"{stub.url}/ops")
    expect(page.locator(".pool")).to_contain_text("done in 2 minutes")
    expect(page.locator(".pool")).to_contain_text("1 worker · 4 cores")
    expect(page.get_by_role("table", name="Workers")).to_contain_text("draining: asked to")
    expect(page.get_by_role("table", name="Workers")).to_contain_text("0.90×")
    expect(page.get_by_role("table", name="Workers")).to_contain_text("1 of 4")
    expect(page.get_by_role("table", name="Workers")).to_contain_text("10 minutes")
    expect(page.get_by_role("link", name="encode.0")).to_have_attribute("href", f"/watch/{ASSET}")
    stub.fleet = {"pools": [pool | {"workers": 0}], "workers": []}
    expect(page.locator(".pool")).to_contain_text("waits for a worker")
    stub.fleet = {"pools": [pool | {"paused": True, "reason": "a new model"}], "workers": []}
    expect(page.locator(".pool")).to_contain_text("paused: a new model")
    stub.fleet = {"pools": [pool | {"backlog_seconds": 0, "running": 0, "ready": 0}], "workers": []}
    expect(page.locator(".pool")).to_contain_text(re.compile("idle"))
    expect(page.get_by_text("No worker is running.")).to_be_visible()
