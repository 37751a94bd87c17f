"""The reference clients, unchanged: tuspy and tus-js-client."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError
from tusclient.storage.filestorage import FileStorage

from tests.services.faulty import Reset, faulty

MIB = 2**20
NODE = Path(__file__).parents[1] / "node"


@pytest.fixture(scope="module")
def server(shared_server):
    return shared_server


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip é.mp4"
    path.write_bytes(os.urandom(20 * MIB + 333))
    return path


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def asset_of(server, url: str) -> str:
    return server.head(url).headers["rushes-asset"]


@pytest.fixture
def tenant() -> dict[str, str]:
    """Headers of somebody who has no asset yet, so that all assets of theirs are this test's."""
    return {"X-Test-Tenant": f"t{secrets.token_hex(8)}"}


# -- tuspy ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [8 * MIB, 2**40])
def test_tuspy_uploads(server, clip: Path, chunk: int, tenant: dict[str, str]) -> None:
    client = TusClient(f"{server.url}/files/", headers=tenant)
    uploader = client.uploader(str(clip), chunk_size=chunk, metadata={"filename": clip.name})
    uploader.upload()
    [asset] = server.assets(**tenant)
    assert server.source_sha(asset["id"]) == sha(clip)
    assert asset["title"] == clip.name


@pytest.mark.parametrize("chunk", [MIB + 1, 2**40])
def test_tuspy_proves_its_chunks_by_checksums(server, clip: Path, chunk: int, tenant: dict[str, str]) -> None:
    client = TusClient(f"{server.url}/files", headers=tenant)
    client.uploader(str(clip), chunk_size=chunk, upload_checksum=True).upload()
    [asset] = server.assets(**tenant)
    assert server.source_sha(asset["id"]) == sha(clip)


def test_tuspy_resumes_from_its_own_url_file(server, clip: Path, tmp_path: Path) -> None:
    client, urls = TusClient(f"{server.url}/files"), FileStorage(str(tmp_path / "urls.json"))
    first = client.uploader(str(clip), chunk_size=3 * MIB, store_url=True, url_storage=urls)
    first.upload(stop_at=6 * MIB)
    second = client.uploader(str(clip), chunk_size=3 * MIB, store_url=True, url_storage=urls)
    assert (second.url, second.offset) == (first.url, 6 * MIB)
    second.upload()
    assert server.source_sha(asset_of(server, second.url)) == sha(clip)


def test_tuspy_uploads_an_empty_file(server, tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    uploader = TusClient(f"{server.url}/files").uploader(str(empty))
    uploader.upload()
    assert server.asset(asset_of(server, uploader.url))["source"]["size"] == 0


def test_tuspy_hears_of_a_refusal(server, clip: Path) -> None:
    uploader = TusClient(f"{server.url}/files").uploader(str(clip))
    uploader.upload_checksum = False
    uploader.set_url(uploader.create_url())
    uploader.offset = 5
    with pytest.raises(TusCommunicationError) as caught:
        uploader.upload_chunk()
    assert caught.value.status_code == 409


def test_many_tuspy_uploads_at_once(server, tmp_path: Path) -> None:
    files = [tmp_path / f"{index}.bin" for index in range(8)]
    urls: dict[Path, str] = {}

    def send(path: Path) -> None:
        uploader = TusClient(f"{server.url}/files").uploader(str(path), chunk_size=MIB)
        uploader.upload()
        urls[path] = uploader.url

    for path in files:
        path.write_bytes(os.urandom(3 * MIB + 1))
    threads = [threading.Thread(target=send, args=(path,)) for path in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [server.source_sha(asset_of(server, urls[path])) for path in files] == [sha(path) for path in files]


# -- tus-js-client ----------------------------------------------------------------------------------------------------


def start(node: str, server, clip: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    arguments = [node, str(NODE / "upload.mjs"), f"{server.url}/files", str(clip), json.dumps(options)]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60)


def run(node: str, server, clip: Path, **options: Any) -> dict[str, Any]:
    done = start(node, server, clip, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.node
@pytest.mark.parametrize(
    "options",
    [{"chunkSize": 8 * MIB}, {}, {"chunkSize": 8 * MIB, "duringCreation": True}, {"override": True}],
    ids=["chunks", "whole", "with-creation", "override"],
)
def test_tus_js_client_uploads(node: str, server, clip: Path, options: dict[str, Any]) -> None:
    result = run(node, server, clip, **options)
    assert server.source_sha(result["asset"]) == sha(clip)
    assert server.asset(result["asset"])["metadata"]["filetype"] == "video/mp4"
    assert not result["troubles"], result["statuses"]


@pytest.mark.node
@pytest.mark.parametrize(
    "options",
    [
        {"parallel": 4},
        {"parallel": 4, "chunkSize": MIB},
        {"deferred": True, "chunkSize": 8 * MIB},
        {"deferred": True, "chunkSize": MIB},
    ],
    ids=["4-parts", "4-parts-in-chunks", "unknown-length", "unknown-length-in-chunks"],
)
def test_tus_js_client_makes_one_asset_of_parts_and_of_streams(
    node: str, server, clip: Path, tenant: dict[str, str], options: dict[str, Any]
) -> None:
    # When the file comes in parts that are joined, or as a stream whose end tells its length
    result = run(node, server, clip, headers=tenant, **options)
    # Then there is one asset, with the bytes of the file, and parts have none
    assert [asset["id"] for asset in server.assets(**tenant)] == [result["asset"]]
    assert server.source_sha(result["asset"]) == sha(clip)
    assert server.asset(result["asset"])["metadata"]["filetype"] == "video/mp4"
    assert not result["troubles"], result["statuses"]
    posts = len([status for status in result["statuses"] if status.startswith("POST")])
    assert posts == (5 if "parallel" in options else 1)


@pytest.mark.node
def test_tus_js_client_uploads_whole_files_in_8_mib_chunks_as_one_asset(
    node: str, server, clip: Path, tenant: dict[str, str]
) -> None:
    result = run(node, server, clip, headers=tenant, chunkSize=8 * MIB)
    assert [asset["id"] for asset in server.assets(**tenant)] == [result["asset"]]
    assert result["offsets"] == [8 * MIB, 16 * MIB, clip.stat().st_size]


@pytest.mark.node
@pytest.mark.parametrize("options", [{}, {"parallel": 4}], ids=["whole", "4-parts"])
def test_tus_js_client_gets_through_five_cuts(
    node: str, server, clip: Path, tenant: dict[str, str], options: dict[str, Any]
) -> None:
    # Given a network that breaks in the middle of five requests
    with faulty(server.port) as network:
        network.fault = Reset(times=5, method="PATCH", after=MIB)
        arguments = [node, str(NODE / "upload.mjs"), f"http://127.0.0.1:{network.port}/files", str(clip)]
        given = json.dumps({"headers": tenant, **options})
        done = subprocess.run([*arguments, given], capture_output=True, text=True, timeout=100)
    # Then the client comes to its end all the same, with every byte once
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert network.fault.hits == 5
    assert [asset["id"] for asset in server.assets(**tenant)] == [result["asset"]]
    assert server.source_sha(result["asset"]) == sha(clip)


@pytest.mark.node
@pytest.mark.parametrize(("chunk", "size"), [(4 * MIB, 20 * MIB), (None, 256 * MIB)], ids=["chunks", "whole"])
def test_tus_js_client_pauses_and_resumes(node: str, server, clip: Path, chunk: int | None, size: int) -> None:
    # Given a file large enough to be under way when the client, which looks every 0.1 s, pauses
    with clip.open("r+b") as stream:
        stream.truncate(size)
    result = run(node, server, clip, pauseAt=5 * MIB, chunkSize=chunk)
    assert result["resumed"] == 1
    assert [status for status in result["statuses"] if status.startswith("HEAD 200")], result
    assert len([status for status in result["statuses"] if status.startswith("POST")]) == 1
    assert server.source_sha(result["asset"]) == sha(clip)


@pytest.mark.node
def test_tus_js_client_killed_and_started_again_goes_on(node: str, server, clip: Path) -> None:
    killed = start(node, server, clip, chunkSize=2 * MIB, abandonAt=9 * MIB)
    assert killed.returncode == -9
    url = killed.stderr.split()[0]
    result = run(node, server, clip, chunkSize=2 * MIB, url=url)
    assert (result["url"], result["statuses"][0]) == (url, "HEAD 200")
    assert result["offsets"][0] > 2 * MIB
    assert server.source_sha(result["asset"]) == sha(clip)


@pytest.mark.node
def test_tus_js_client_terminates(node: str, server, clip: Path) -> None:
    result = run(node, server, clip, chunkSize=MIB, terminateAt=5 * MIB)
    assert result["terminated"]
    assert "DELETE 204" in result["statuses"]
    assert server.head(result["url"]).status_code == 404


@pytest.mark.node
def test_tus_js_client_lives_through_a_kill_of_the_server(node: str, start_server, clip: Path) -> None:
    server = start_server()
    arguments = [node, str(NODE / "upload.mjs"), f"{server.url}/files", str(clip), json.dumps({"chunkSize": MIB // 4})]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
        assert client.stderr is not None
        url = client.stderr.readline().strip()
        while server.stored(url) < 2 * MIB:
            assert client.poll() is None
        server.kill()
        server.start()
        output, errors = client.communicate(timeout=60)
    assert client.returncode == 0, output + errors
    result = json.loads(output.splitlines()[-1])
    assert result["url"] == url
    assert server.source_sha(result["asset"]) == sha(clip)
