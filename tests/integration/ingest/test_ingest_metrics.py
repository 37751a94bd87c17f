"""What `/metrics` of the whole application says of uploads."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from starlette.testclient import TestClient

from rushes.server import web_app
from rushes.settings import Settings

TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Content-Type": "application/offset+octet-stream"}


def test_what_was_done_with_uploads_is_counted(tmp_path: Path) -> None:
    app = web_app(Settings(data=tmp_path, min_free_bytes=0))
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)) as client:

        def create(**headers: str) -> str:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = client.post("/files", headers={**TUS, **given})
            assert answer.status_code == 201, answer.text
            return answer.headers["location"]

        def send(url: str, data: bytes, digest: bytes | None = None) -> int:
            encoded = base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest() if digest is None else digest)
            headers = {**PATCH, "Upload-Offset": "0", "Upload-Checksum": f"sha1 {encoded.decode()}"}
            return client.patch(url, content=data, headers=headers).status_code

        # Given two parts, the upload that is joined from them, one that is given up, and a body that is wrong
        parts = [create(Upload_Concat="partial", Upload_Length=str(size)) for size in (3, 4)]
        assert send(parts[0], b"abc", digest=bytes(20)) == 460
        assert [send(url, data) for url, data in zip(parts, (b"abc", b"defg"), strict=True)] == [204, 204]
        joined = create(Upload_Concat=f"final;{' '.join(parts)}")
        assert client.head(joined, headers=TUS).headers["upload-offset"] == "7"
        assert client.delete(create(Upload_Length="5"), headers=TUS).status_code == 204
        # Then each is counted as what it was
        lines = set(client.get("/metrics").text.splitlines())
    assert {
        'rushes_uploads_created_total{kind="part"} 2.0',
        'rushes_uploads_created_total{kind="joined"} 1.0',
        'rushes_uploads_created_total{kind="whole"} 1.0',
        'rushes_uploads_finished_total{kind="part"} 2.0',
        'rushes_uploads_finished_total{kind="joined"} 1.0',
        'rushes_uploads_ended_total{reason="terminated"} 1.0',
        "rushes_upload_bytes_received_total 7.0",
        'rushes_upload_bodies_discarded_total{reason="checksum_mismatch"} 1.0',
        "rushes_upload_orphans_removed_total 0.0",
        "rushes_uploads_active 0.0",
    } <= lines
