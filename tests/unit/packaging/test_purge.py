"""What caches are told when something is taken away."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from rushes.engine.job import Job, PurgeSettings, ToolSettings
from rushes.engine.outcome import SETTLED, purge_steps
from rushes.errors import StepFailure
from rushes.keys import pointer_key
from rushes.model import CleanupResult
from rushes.packaging import cleanup, purging
from rushes.packaging.purge import BATCH, PurgeRequest, complaint, pointers, requests, summary
from rushes.packaging.purge_setup import purge_settings
from rushes.settings import Settings, SettingsError
from rushes.states import StepKind
from rushes.storage.workspace import Workspace

ASSET = "0" * 26
SECRET = "0123456789abcdef"
SEGMENT = f"/media/{ASSET}/t/r/1/v/00001.m4s"
NGINX = PurgeSettings(kind="nginx", urls=("http://a:1", "http://b:2"), secret=SECRET)


def http(**fields: Any) -> PurgeSettings:
    return PurgeSettings(kind="http", secret=SECRET, public_url="https://v.test", **fields)


def test_nginx_fetches_each_path_anew_from_each_edge_and_texts_in_both_forms() -> None:
    made = list(requests(NGINX, ASSET, [f"/{pointer_key(ASSET, 'master.m3u8')}", SEGMENT]))
    assert {request.method for request in made} == {"HEAD"}
    assert {request.headers["X-Purge-Key"] for request in made} == {SECRET}
    asked = [(request.url, request.headers["Accept-Encoding"]) for request in made]
    pointer = f"/{pointer_key(ASSET, 'master.m3u8')}"
    assert asked == [
        (edge + door + path, coding)
        for edge in NGINX.urls
        for path, codings in ((pointer, ("gzip", "identity")), (SEGMENT, ("identity",)))
        for door in ("", "/signed/purge")
        for coding in codings
    ]


def test_varnish_forgets_an_asset_by_one_request_to_each() -> None:
    varnish = PurgeSettings(kind="varnish", urls=("http://a:1",), secret=SECRET)
    headers = {"X-Purge-Key": SECRET, "X-Purge-Asset": ASSET}
    assert list(requests(varnish, ASSET, [SEGMENT] * 100)) == [PurgeRequest("BAN", "http://a:1/", headers)]


def test_http_by_path_by_tag_and_by_lists() -> None:
    by_path = http(urls=("https://cdn.test{path}",), method="PURGE")
    assert [request.url for request in requests(by_path, ASSET, [SEGMENT, "/b"])] == [
        f"https://cdn.test{SEGMENT}",
        "https://cdn.test/b",
    ]
    fastly = http(urls=("https://api.test/service/S/purge/{asset}",), headers={"Fastly-Key": "{secret}"})
    assert list(requests(fastly, ASSET, [SEGMENT] * 100)) == [
        PurgeRequest("POST", f"https://api.test/service/S/purge/{ASSET}", {"Fastly-Key": SECRET})
    ]
    cloudflare = http(urls=("https://api.test/zones/Z/purge_cache",), body='{"files": {urls}}')
    bodies = [json.loads(request.body) for request in requests(cloudflare, ASSET, [SEGMENT] * (BATCH + 1))]
    assert [len(body["files"]) for body in bodies] == [BATCH, 1]
    assert bodies[0]["files"][0] == f"https://v.test{SEGMENT}"


@pytest.mark.parametrize(
    ("status", "cache", "right"),
    [(404, "BYPASS", True), (200, "BYPASS", True), (404, "MISS", True), (200, "HIT", False), (502, "BYPASS", False),
     (404, "", False)],
)  # fmt: skip
def test_an_nginx_that_did_not_ask_us_has_forgotten_nothing(status: int, cache: str, right: bool) -> None:
    said = complaint(NGINX, PurgeRequest("HEAD", "http://a:1/x"), status, cache)
    assert (said == "") is right
    assert SECRET not in said


def test_a_cdn_that_does_not_have_a_path_is_no_failure_but_a_wrong_interface_is() -> None:
    request = PurgeRequest("PURGE", "https://cdn.test/x?key=abc")
    assert complaint(http(urls=("https://cdn.test{path}",)), request, 404, "") == ""
    said = complaint(http(urls=("https://cdn.test/purge",)), request, 404, "")
    assert "404" in said
    assert "abc" not in said


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"purge": "nginx"}, "needs RUSHES_PURGE_URL"),
        ({"purge": "nginx", "purge_url": "edge:80", "purge_secret": SECRET}, "must be http"),
        ({"purge": "varnish", "purge_url": "http://edge", "purge_secret": "short"}, "RUSHES_PURGE_SECRET"),
        ({"purge": "http", "purge_url": "http://edge", "purge_headers": "Key"}, "`Name: value`"),
        ({"purge": "http", "purge_url": "http://edge", "purge_method": "GET /"}, "RUSHES_PURGE_METHOD"),
        ({"purge": "http", "purge_url": "http://edge", "purge_body": "{urls}"}, "RUSHES_PUBLIC_URL"),
    ],
)
def test_wrong_settings_are_sentences(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        purge_settings(Settings(**fields))


def test_settings_become_what_steps_are_given() -> None:
    assert purge_settings(Settings()) is None
    found = purge_settings(
        Settings(purge="http", purge_url="https://a/, https://b", purge_method="purge", purge_headers="A: b | C: d:e")
    )
    assert found == PurgeSettings(
        kind="http", urls=("https://a", "https://b"), method="PURGE", headers={"A": "b", "C": "d:e"}
    )


def test_a_cleanup_lists_what_was_there_and_purges_follow_once_more_when_all_has_settled(
    make_job: Any, workspace: Workspace
) -> None:
    # Given a public asset
    for path in (*pointers(ASSET), SEGMENT, f"/artifacts/{ASSET}/r/1/poster.jpg"):
        workspace.store.put_bytes(path[1:], b"x")
    job = make_job(StepKind.CLEANUP, params={"what": "delete", "purge": True})
    # When it is deleted, and the attempt is made again because its answer was lost
    first = cleanup.run(job, workspace)
    again = cleanup.run(job, workspace)
    # Then the list is still whole, pointers first
    assert first.purge == again.purge
    listed = workspace.store.read(again.purge).decode().splitlines()
    assert listed == [*pointers(ASSET), SEGMENT, f"/artifacts/{ASSET}/r/1/poster.jpg"]
    # And what follows tells the caches twice
    now, later = purge_steps(job.key, again.purge)
    assert (now.after, now.delay, now.params["what"]) == ((job.key,), 0.0, "purge")
    assert (later.after, later.delay, later.params["last"]) == ((now.key,), SETTLED, True)


def test_without_caches_nothing_is_listed(make_job: Any, workspace: Workspace) -> None:
    workspace.store.put_bytes(SEGMENT[1:], b"x")
    done = cleanup.run(make_job(StepKind.CLEANUP, params={"what": "unpublish"}), workspace)
    assert done == CleanupResult(objects=2)
    assert [info.key for info in workspace.store.list("purges/")] == []


class Cache:
    """An edge that answers as it is told."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.heard = status, list[str]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.heard.append(f"{request.method} {request.url}")
        return httpx.Response(self.status)


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Cache:
    made, real = Cache(), httpx.AsyncClient
    monkeypatch.setattr(
        purging.httpx, "AsyncClient", lambda **options: real(transport=httpx.MockTransport(made), **options)
    )
    return made


def purge_job(make_job: Any, workspace: Workspace, **params: Any) -> tuple[Job, Workspace]:
    workspace.store.put_bytes("purges/a/b", b"/one\n/two")
    purge = http(urls=("https://cdn.test{path}",), method="PURGE")
    told = Workspace(workspace.store, workspace.scratch, ToolSettings(purge=purge))
    return make_job(StepKind.CLEANUP, params={"what": "purge", "list": "purges/a/b", **params}), told


def test_the_step_tells_of_every_path_and_the_last_one_throws_the_list_away(
    make_job: Any, workspace: Workspace, cache: Cache
) -> None:
    job, told = purge_job(make_job, workspace)
    assert cleanup.run(job, told) == CleanupResult(objects=2)
    assert cache.heard == ["PURGE https://cdn.test/one", "PURGE https://cdn.test/two"]
    last, told = purge_job(make_job, workspace, last=True)
    assert cleanup.run(last, told).objects == 2
    assert cleanup.run(last, told).objects == 0


def test_a_cache_that_fails_fails_the_step_and_the_list_stays(
    make_job: Any, workspace: Workspace, cache: Cache
) -> None:
    cache.status = 503
    job, told = purge_job(make_job, workspace, last=True)
    with pytest.raises(StepFailure) as failure:
        cleanup.run(job, told)
    assert failure.value.code == "purge_failed"
    assert "503" in failure.value.detail
    assert workspace.store.read("purges/a/b")


def test_what_is_to_be_purged_in_short() -> None:
    assert summary("a") == ("/media/a/master.m3u8", "/media/a/manifest.mpd", "/media/a/*", "/artifacts/a/*")
