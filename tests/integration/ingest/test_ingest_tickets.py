"""One-time upload addresses, as a creator's client meets them, over a real server: every verb, right and wrong."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tusclient.client import TusClient

from rushes.catalog.records import Upload
from rushes.ingest.reservations import ATTEMPTS
from rushes.keys import new_id
from rushes.model import Asset
from tests.integration.ingest.conftest import wait_for
from tests.integration.ingest.limited import ANN, BOB, TUS, Limited, bearer, code, metadata

NODE = Path(__file__).parents[1] / "node"
SITE = "https://app.example.com"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limited]:
    with Limited(tmp_path_factory.mktemp("tickets") / "data").running() as limited:
        yield limited


def test_an_upload_by_an_address_needs_no_key_and_has_an_address_of_its_own(house: Limited) -> None:
    made = house.address(title="Ours", metadata={"user": "7"}, count=1)
    # When a client that knows nothing but the address creates an upload
    created = house.post(made["url"], 9, Upload_Metadata=metadata(filename="a.mp4", user="8", title="Mine"))
    assert created.status_code == 201
    where = created.headers["location"]
    assert where.startswith(f"{house.url}/files/")
    assert "key=" in urlsplit(where).query
    assert made["url"].partition("ticket=")[2] not in where
    # Then every verb works at the upload's own address
    assert house.head(where).headers["upload-offset"] == "0"
    assert house.patch(where, 0, b"abcd").headers["upload-offset"] == "4"
    assert house.head(where).headers["upload-offset"] == "4"
    # And what the backend said of the asset goes before what the client said
    asset = house.catalog.asset(created.headers["rushes-asset"])
    assert (asset.tenant, asset.title) == ("ann", "Ours")
    assert asset.metadata == {"filename": "a.mp4", "user": "7", "title": "Mine"}
    told = house.told(made["id"])
    assert (told["state"], told["used"], told["asset"]) == ("waiting", 1, asset.id)
    assert house.patch(where, 4, b"efghi").status_code == 204
    assert house.told(made["id"])["state"] == "asset_created"


def test_no_other_secret_opens_an_upload(house: Limited) -> None:
    made = house.address(count=3)
    where, other = (house.post(made["url"]).headers["location"] for _ in range(2))
    bare, _, key = where.partition("?key=")
    wrong = [
        f"{bare}?key={key[:-1]}",
        f"{bare}?key={key}A",
        f"{bare}?key={other.partition('?key=')[2]}",
        f"{bare}?key=",
        bare,
        f"{bare}?{urlsplit(made['url']).query}",
        f"{bare}?key={made['url'].partition('ticket=')[2]}",
        f"{bare}?Key={key}",
    ]
    for url in wrong:
        expected = 404 if "?key=" in url and not url.endswith("=") else 401
        verbs = (house.head(url), house.patch(url, 0, b"abc"), house.delete(url))
        assert {answer.status_code for answer in verbs} == {expected}, url
        assert all("upload-offset" not in answer.headers for answer in verbs)
        override = httpx.post(url, headers={**TUS, "X-HTTP-Method-Override": "DELETE"})
        assert override.status_code == expected
    # And nothing has happened to it
    assert house.head(where).headers["upload-offset"] == "0"
    # The tenant's own key reaches it, another tenant's does not
    assert house.head(bare, **bearer(ANN)).status_code == 200
    assert {house.head(bare, **bearer(BOB)).status_code, house.delete(bare, **bearer(BOB)).status_code} == {404}


def test_a_secret_does_not_open_what_belongs_to_a_key(house: Limited) -> None:
    plain = house.post().headers["location"]
    assert "key=" not in plain
    secret = house.post(house.address()["url"]).headers["location"].partition("?")[2]
    assert {house.head(f"{plain}?{secret}").status_code, house.delete(f"{plain}?{secret}").status_code} == {404}
    assert house.delete(plain, **bearer(ANN)).status_code == 204
    # And makes nothing new
    for nobody in (f"{house.url}/files?{secret}", f"{house.url}/files?key=x"):
        assert code(house.post(nobody)) == (401, "unauthorized")
        ietf = {"Upload-Draft-Interop-Version": "8", "Upload-Complete": "?1"}
        assert httpx.post(nobody, content=b"abc", headers=ietf).status_code == 401


@pytest.mark.parametrize(
    "spoilt", ["{url}A", "{url_}", "{base}/files?ticket=", "{base}/files?ticket=x.y", "{base}/files"]
)
def test_no_other_ticket_makes_an_upload(house: Limited, spoilt: str) -> None:
    url = house.address()["url"]
    answer = house.post(spoilt.format(url=url, url_=url[:-1], base=house.url))
    assert code(answer) in {(403, "ticket_unknown"), (401, "unauthorized")}
    assert answer.headers["tus-resumable"] == "1.0.0"


def test_count_is_the_number_of_uploads(house: Limited) -> None:
    made = house.address(count=2)
    first, _ = (house.post(made["url"], length).headers["location"] for length in (1, 2))
    refused = house.post(made["url"], 3)
    assert code(refused) == (403, "ticket_used")
    # One that is given up makes room for another
    assert house.delete(first).status_code == 204
    assert house.post(made["url"], 3).status_code == 201
    assert house.told(made["id"])["used"] == 2


def test_an_address_does_not_make_uploads_without_end(house: Limited) -> None:
    made = house.address()
    for _ in range(ATTEMPTS):
        assert house.delete(house.post(made["url"], 3).headers["location"]).status_code == 204
    assert code(house.post(made["url"], 3)) == (403, "ticket_attempts")


def test_what_a_worker_fetches_is_not_to_be_found_among_uploads(house: Limited) -> None:
    now = house.clock.now()
    asset = Asset(id=new_id(now), tenant="ann", created_at=now)
    upload = Upload(
        id=new_id(now), asset=asset.id, tenant="ann", kind="fetched", length=9, created_at=now, expires_at=now + 600
    )
    house.catalog.create_arrival(upload, asset)
    house.uploads.create(upload.id, "sources/x", 9)
    url, mine = f"{house.url}/files/{upload.id}", bearer(ANN)
    assert house.head(url, **mine).status_code == 404
    assert house.patch(url, 0, b"123456789", **mine).status_code == 404
    assert house.delete(url, **mine).status_code == 404
    assert house.catalog.upload(upload.id).state == "open"
    assert house.uploads.stat(upload.id).size == 0


def test_a_creation_whose_answer_was_lost_is_not_lost(house: Limited) -> None:
    made = house.address()
    named = {"Upload_Metadata": metadata(filename="a.mp4")}
    first, again = house.post(made["url"], 5, **named), house.post(made["url"], 5, **named)
    assert (again.status_code, again.headers["location"]) == (201, first.headers["location"])
    assert house.head(again.headers["location"]).headers["upload-offset"] == "0"
    # Also where bytes had come: the answer says where to go on
    house.patch(first.headers["location"], 0, b"abc")
    third = house.post(made["url"], 5, body=b"abcde", **named)
    assert (third.status_code, third.headers["upload-offset"]) == (201, "3")
    assert house.patch(third.headers["location"], 3, b"de").status_code == 204
    # But not for another file
    assert code(house.post(made["url"], 6, **named)) == (403, "ticket_used")
    source = house.catalog.asset(first.headers["rushes-asset"]).source
    assert source is not None
    assert house.objects.read(source.key) == b"abcde"
    # All that came with the creation whose answer was lost is not asked for again, and makes nothing new
    small = house.address()
    answers = [house.post(small["url"], 3, body=b"abc") for _ in range(2)]
    assert [(answer.status_code, answer.headers["upload-offset"]) for answer in answers] == [(201, "3")] * 2
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert house.told(small["id"])["used"] == 1


def test_an_address_ends_but_its_uploads_go_on(house: Limited) -> None:
    made = house.address(count=1000, expires_in=1)
    where = house.post(made["url"]).headers["location"]
    refused = wait_for(lambda: (answer := house.post(made["url"], 1)).status_code != 201 and answer, "the end")
    assert code(refused) == (403, "ticket_expired")
    assert house.patch(where, 0, b"abcdefghi").status_code == 204


def test_revoking_ends_what_is_under_way_at_once(house: Limited) -> None:
    made = house.address(count=2)
    done = house.post(made["url"], 3).headers["location"]
    assert house.patch(done, 0, b"abc").status_code == 204
    where = house.post(made["url"], 1000).headers["location"]
    upload = urlsplit(where).path.rsplit("/", 1)[1]
    with house.half_a_patch(where, b"x" * 400, 1000) as connection:
        wait_for(lambda: house.uploads.stat(upload).size == 400, "the bytes")
        answer = httpx.delete(f"{house.url}/v1/uploads/{made['id']}", headers=bearer(ANN))
        assert answer.status_code == 200
        assert connection.recv(1000).startswith(b"HTTP/1.1 4")  # its request is told
    assert house.head(where).status_code == house.patch(where, 400, b"x").status_code == 404
    assert code(house.post(made["url"])) == (403, "ticket_cancelled")
    assert upload not in dict(house.uploads.list())
    assert house.head(done).headers["upload-offset"] == "3"


def test_pages_of_other_sites_are_kept_out(house: Limited) -> None:
    made = house.address(cors_origin=[SITE], count=5)
    preflight = httpx.options(
        made["url"], headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert preflight.status_code == 204
    refused = house.post(made["url"], Origin="https://evil.example")
    assert code(refused) == (403, "origin_not_allowed")
    assert refused.headers["access-control-allow-origin"] == "*"  # so that the page can read why
    where = house.post(made["url"], Origin=SITE).headers["location"]
    for answer in (house.head(where, Origin="null"), house.patch(where, 0, b"a", Origin="http://app.example.com")):
        assert answer.status_code == 404
    assert house.patch(where, 0, b"a", Origin=SITE).status_code == 204
    assert house.head(where).status_code == 200  # an app that is no browser


def test_sizes_beyond_the_limit_are_refused_however_they_come(house: Limited) -> None:
    made = house.address(max_bytes=10, count=9)
    refused = house.post(made["url"], 11)
    assert code(refused) == (413, "over_limit_bytes")
    assert refused.headers["tus-max-size"] == "10"
    assert house.post(made["url"], 10).status_code == 201
    # Said later
    where = house.post(made["url"], None).headers["location"]
    assert code(house.patch(where, 0, b"a", Upload_Length="11")) == (413, "over_limit_bytes")
    assert house.head(where).headers["upload-offset"] == "0"
    # Never said
    assert house.patch(where, 0, b"abcdefgh").status_code == 204
    assert code(house.patch(where, 8, b"ijk")) == (413, "over_limit_bytes")
    assert house.head(where).headers["upload-offset"] == "8"


def test_a_file_that_says_it_is_of_another_type_is_refused(house: Limited) -> None:
    made = house.address(types=["video/mp4", "audio/*"])
    refused = house.post(made["url"], Upload_Metadata=metadata(filetype="image/png"))
    assert code(refused) == (415, "type_refused")
    assert house.post(made["url"], Upload_Metadata=metadata(filetype="audio/x-wav")).status_code == 201


def test_parallel_parts_are_no_uploads_of_their_own(house: Limited) -> None:
    made = house.address(count=1, max_bytes=10)
    parts = [house.post(made["url"], 5, Upload_Concat="partial").headers["location"] for _ in range(2)]
    assert all("key=" in part for part in parts)
    for part, data in zip(parts, (b"abcde", b"fghij"), strict=True):
        assert house.patch(part, 0, data).status_code == 204
    assert code(house.post(made["url"], 5, Upload_Concat="partial")) == (403, "ticket_used")
    # Parts of somebody else cannot be joined
    foreign = house.post(house.address(BOB)["url"], 5, Upload_Concat="partial").headers["location"]
    joined = {**TUS, "Upload-Concat": f"final;{parts[0]} {foreign}"}
    assert code(httpx.post(made["url"], headers=joined)) == (400, "part_unknown")
    final = httpx.post(made["url"], headers={**TUS, "Upload-Concat": f"final;{parts[0]} {parts[1]}"})
    assert final.status_code == 201, final.text
    wait_for(lambda: house.told(made["id"])["state"] == "asset_created", "the joined upload")
    source = house.catalog.asset(final.headers["rushes-asset"]).source
    assert source is not None
    assert house.objects.read(source.key) == b"abcdefghij"


def test_the_ietf_protocol_takes_an_address_as_well(house: Limited) -> None:
    made = house.address(max_bytes=10)
    said = {"Upload-Draft-Interop-Version": "8", "Upload-Complete": "?0"}
    refused = httpx.post(made["url"], content=b"abcdefghijk", headers={**said, "Upload-Complete": "?1"})
    assert code(refused) == (413, "over_limit_bytes")
    where = httpx.post(made["url"], content=b"abc", headers=said).headers["location"]
    bare, _, key = where.partition("?key=")
    assert key
    ask = {"Upload-Draft-Interop-Version": "8"}
    rest = {**ask, "Upload-Offset": "3", "Upload-Complete": "?1", "Content-Type": "application/partial-upload"}
    for wrong, status in ((f"{bare}?key={key}A", 404), (bare, 401)):
        answers = (
            httpx.head(wrong, headers=ask),
            httpx.patch(wrong, content=b"defg", headers=rest),
            httpx.delete(wrong, headers=ask),
        )
        assert {answer.status_code for answer in answers} == {status}
    assert httpx.head(where, headers=ask).headers["upload-offset"] == "3"
    assert httpx.patch(where, content=b"defg", headers=rest).status_code in (200, 201, 204)
    told = house.told(made["id"])
    assert told["state"] == "asset_created"
    source = house.catalog.asset(told["asset"]).source
    assert source is not None
    assert house.objects.read(source.key) == b"abcdefg"


def test_tuspy_uploads_by_an_address(house: Limited, tmp_path: Path) -> None:
    made, clip = house.address(), tmp_path / "clip.mp4"
    clip.write_bytes(bytes(range(256)) * 40)
    TusClient(made["url"]).uploader(str(clip), chunk_size=3000, metadata={"filename": "clip.mp4"}).upload()
    told = house.told(made["id"])
    assert told["state"] == "asset_created"
    source = house.catalog.asset(told["asset"]).source
    assert source is not None
    assert house.objects.read(source.key) == clip.read_bytes()


@pytest.mark.node
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunkSize": 2**20},
        {"parallel": 4},
        {"deferred": True, "chunkSize": 2**20},
        {"pauseAt": 2**20, "chunkSize": 2**19},
    ],
    ids=["whole", "chunks", "parallel", "deferred", "paused"],
)
def test_tus_js_client_uploads_by_an_address(
    node: str, house: Limited, tmp_path: Path, options: dict[str, object]
) -> None:
    made, clip = house.address(max_bytes=5_000_000, types=["video/*"]), tmp_path / "clip.mp4"
    clip.write_bytes(os.urandom(4_000_001))
    arguments = [node, str(NODE / "upload.mjs"), made["url"], str(clip), json.dumps(options)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    told = wait_for(lambda: (found := house.told(made["id"]))["state"] == "asset_created" and found, "the upload")
    assert told["used"] == 1
    source = house.catalog.asset(told["asset"]).source
    assert source is not None
    assert house.objects.read(source.key) == clip.read_bytes()


def test_secrets_are_in_no_log_and_no_event(house: Limited, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="rushes")
    made = house.address()
    where = house.post(made["url"], 3).headers["location"]
    house.patch(where, 0, b"abc")
    house.head(f"{where}A")
    assert "/files" in caplog.text
    said = caplog.text + "".join(event.model_dump_json() for event in house.catalog.events(limit=10_000))
    for secret in (made["url"].partition(".")[2].rpartition(".")[2], where.partition("key=")[2]):
        assert len(secret) >= 43
        assert secret not in said


def test_without_keys_an_address_works_as_well(make_house: Callable[..., Limited]) -> None:
    house = make_house(auth="off")
    made = httpx.post(f"{house.url}/v1/uploads", json={}).json()
    # Pages of other sites may not change anything here, but by an address they may upload
    assert code(house.post(f"{house.url}/files", Origin=SITE)) == (403, "cross_site")
    where = house.post(made["url"], 3, Origin=SITE).headers["location"]
    assert house.patch(where, 0, b"abc", Origin=SITE).status_code == 204
    assert house.head(f"{where}A").status_code == 404
