"""Options, work that is not done twice, and encodes after the first: on a real stack, by what comes out of it."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from rushes.clock import SystemClock, pause
from rushes.ffmpeg.binary import find_binary
from rushes.testing import Stack, running_stack

WIDTH, HEIGHT, FPS = 320, 180, 25
BITS = 8
"""Of the number that each picture carries: squares of 32 pixels, black or white."""
Json = dict[str, Any]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("options") / "data", speech_draft="false") as made:
        yield made


def ffmpeg(*arguments: str) -> bytes:
    return subprocess.run([str(find_binary()), "-v", "error", *arguments], check=True, capture_output=True).stdout


def film(path: Path, frames: int, shade: int = 128) -> Path:
    """Each picture shows its number in squares along its middle; `shade` makes files differ."""
    picture = np.full((frames, HEIGHT, WIDTH), shade, np.uint8)
    for frame in range(frames):
        for bit in range(BITS):
            picture[frame, 74:106, 32 + bit * 32 : 64 + bit * 32] = 235 if frame >> bit & 1 else 16
    raw = path.with_suffix(".gray")
    raw.write_bytes(picture.tobytes())
    size = f"{WIDTH}x{HEIGHT}"
    seconds = str(frames / FPS)
    ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "gray", "-s", size, "-r", str(FPS), "-i", str(raw)),
        *("-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}:sample_rate=48000"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p", "-g", "25"),
        *("-c:a", "aac", "-shortest", str(path)),
    )
    raw.unlink()
    return path


def upload(stack: Stack, path: Path, **said: str) -> str:
    pairs = {"filename": path.name, **said}
    metadata = ",".join(f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in pairs.items())
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(path.stat().st_size), "Upload-Metadata": metadata}
    made = httpx.post(f"{stack.url}/files", headers=headers)
    assert made.status_code == 201, made.text
    patch = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    address = httpx.URL(stack.url).join(made.headers["Location"])
    assert httpx.patch(address, headers=patch, content=path.read_bytes()).status_code == 204
    asset: str = made.headers["Rushes-Asset"]
    return asset


def record(stack: Stack, asset: str) -> Json:
    found: Json = httpx.get(f"{stack.url}/v1/assets/{asset}").json()
    return found


def finished(stack: Stack, asset: str, patience: float = 120.0) -> Json:
    """Once nothing of it is left to be done."""
    clock = SystemClock()
    deadline = clock.monotonic() + patience
    while True:
        found = record(stack, asset)
        over = found["steps"] and all(step["state"] not in ("waiting", "ready", "running") for step in found["steps"])
        if over and found["state"] in ("ready", "failed"):
            return found
        assert clock.monotonic() < deadline, [(step["key"], step["state"]) for step in found["steps"]]
        pause(0.1)


def pictures(address: str, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    """All of a rendition, as (frames, height, width, RGB)."""
    scaled = ("-vf", f"scale={size[0]}:{size[1]}:flags=area:in_color_matrix=bt709:in_range=tv")
    raw = ffmpeg("-i", address, "-map", "0:v:0", *scaled, "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1")
    return np.frombuffer(raw, np.uint8).reshape(-1, size[1], size[0], 3)


def numbers(found: np.ndarray) -> list[int]:
    squares = [found[:, 84:96, 42 + bit * 32 : 54 + bit * 32].mean(axis=(1, 2, 3)) > 128 for bit in range(BITS)]
    return [sum(int(square[frame]) << bit for bit, square in enumerate(squares)) for frame in range(len(found))]


def top(asset: Json) -> str:
    """Address of the media playlist of the best rendition."""
    return next(str(track["url"]) for track in asset["tracks"] if track["type"] == "video")


def objects(stack: Stack, asset: Json) -> dict[str, str]:
    """Digest of every segment and init of an asset, by the track and the segment's name."""
    found: dict[str, str] = {}
    for track in asset["tracks"]:
        playlist = httpx.get(track["url"]).text
        for line in playlist.splitlines():
            name = line.partition('URI="')[2].partition('"')[0] if line.startswith("#EXT-X-MAP") else line
            if name and not name.startswith("#"):
                data = httpx.get(httpx.URL(track["url"]).join(name)).content
                found[f"{track['name']}/{name.rpartition('/')[2]}"] = hashlib.sha256(data).hexdigest()
    return found


def test_a_clip_has_exactly_its_frames_and_its_sound(stack: Stack, tmp_path: Path) -> None:
    source = film(tmp_path / "counted.mp4", 150)
    asset = finished(stack, upload(stack, source, clip_start="1.5", clip_end="4.0"))
    assert asset["state"] == "ready", asset["reason"]
    assert asset["options"]["clip"] == {"start": 1.5, "end": 4.0}
    assert numbers(pictures(top(asset))) == list(range(38, 100))  # 1.5 s lies in the middle of picture 37
    assert asset["duration"] == pytest.approx(62 / FPS, abs=0.001)
    sound = next(track for track in asset["tracks"] if track["type"] == "audio")
    assert sound["duration"] == pytest.approx(62 / FPS, abs=0.05)
    assert "remux" not in [step["key"] for step in asset["steps"] if step["state"] == "done"]


def test_a_clip_outside_the_video_is_refused_in_a_sentence(stack: Stack, tmp_path: Path) -> None:
    source = film(tmp_path / "short.mp4", 30, shade=90)
    asset = finished(stack, upload(stack, source, clip_start="5"))
    assert (asset["state"], asset["reason"]["code"]) == ("failed", "clip_outside")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"clip_start": "4", "clip_end": "1.5"}, "bad_clip"),
        ({"clip_start": "soon"}, "bad_clip"),
        ({"watermark": "../../etc"}, "bad_watermark"),
        ({"watermark": "nobody-has-put-it"}, "watermark_not_found"),
        ({"profile": "best-ever"}, "profile_not_allowed"),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_byte_is_sent(stack: Stack, said: dict[str, str], code: str) -> None:
    metadata = ",".join(f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in said.items())
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "9", "Upload-Metadata": metadata}
    refused = httpx.post(f"{stack.url}/files", headers=headers)
    assert refused.status_code in (400, 422)
    assert refused.json()["code"] == code


@pytest.mark.parametrize(
    ("door", "rest"),
    [("assets", {"url": "https://files.test/a.mp4"}), ("uploads", {}), ("uploads/direct", {"length": 9})],
)
@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"clip": {}}, "bad_clip"),
        ({"clip": {"start": True}}, "bad_clip"),
        ({"clip": {"start": "1", "end": 4}}, "bad_clip"),
        ({"watermark": {"name": "logo", "size": 7}}, "bad_watermark"),
    ],
)
def test_json_is_refused_with_the_same_codes(
    stack: Stack, door: str, rest: dict[str, Any], said: dict[str, Any], code: str
) -> None:
    refused = httpx.post(f"{stack.url}/v1/{door}", json={**rest, **said})
    assert (refused.status_code, refused.json()["code"]) == (400, code)


def test_a_watermark_lies_where_it_was_asked_for(stack: Stack, tmp_path: Path) -> None:
    logo = tmp_path / "logo.webp"
    ffmpeg("-f", "lavfi", "-i", "color=red:size=60x30", "-frames:v", "1", "-lossless", "1", str(logo))
    put = httpx.put(f"{stack.url}/v1/watermarks/logo", content=logo.read_bytes())
    assert put.json() == {"name": "logo", "width": 60, "height": 30, "size": put.json()["size"]}
    source = film(tmp_path / "marked.mp4", 50, shade=64)
    mark = "logo,position=bottom-right,size=0.25,opacity=0.5,margin=0.1"
    asset = finished(stack, upload(stack, source, watermark=mark))
    picture = pictures(top(asset))[20].astype(int)
    red = picture[:, :, 0] - picture[:, :, 1] > 40
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert (columns[0], columns[-1] + 1) == (
        pytest.approx(222, abs=2),
        pytest.approx(302, abs=2),
    )  # 80 wide, 18 off the edge
    assert (rows[0], rows[-1] + 1) == (pytest.approx(122, abs=2), pytest.approx(162, abs=2))
    below, shade = picture[140, 260], picture[20, 20]
    assert below[0] == pytest.approx((255 + shade[0]) / 2, abs=14)
    assert below[2] == pytest.approx(shade[2] / 2, abs=14)
    poster = pictures(asset["playback"]["poster"])[0].astype(int)
    assert poster[140, 260, 0] - poster[140, 260, 1] > 40


def test_what_the_apps_server_fixed_its_creators_cannot_change(stack: Stack, tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        logo = tmp_path / f"{name}.png"
        ffmpeg("-f", "lavfi", "-i", "color=blue:size=40x40", "-frames:v", "1", str(logo))
        httpx.put(f"{stack.url}/v1/watermarks/{name}", content=logo.read_bytes()).raise_for_status()
    wanted = {
        "profile": "archive",
        "watermark": {"name": "ours", "opacity": 0.3},
        "clip": {"start": 0.5, "end": 1},
        "count": 2,
    }
    ticket = httpx.post(f"{stack.url}/v1/uploads", json=wanted).json()
    assert ticket["options"]["watermark"]["name"] == "ours"
    said = {"profile": "fast", "watermark": "theirs,position=center", "clip_start": "0", "clip_end": "9"}
    asset = record(stack, create(ticket["url"], said))
    assert asset["options"]["clip"] == {"start": 0.5, "end": 1.0}
    assert (asset["options"]["watermark"]["name"], asset["options"]["watermark"]["opacity"]) == ("ours", 0.3)
    assert asset["profile"].partition("@")[0] == "archive"
    # But a creator may cut what the server left whole
    free = httpx.post(f"{stack.url}/v1/uploads", json={}).json()
    assert record(stack, create(free["url"], {"clip_start": "1", "watermark": "theirs"}))["options"] == {
        "clip": {"start": 1.0, "end": None},
        "watermark": None,
        "playback": "public",
    }
    refused = httpx.post(f"{stack.url}/v1/uploads", json={"watermark": {"name": "nobodys"}})
    assert (refused.status_code, refused.json()["code"]) == (422, "watermark_not_found")
    assert httpx.post(f"{stack.url}/v1/uploads", json={"clip": {"start": 4, "end": 1}}).status_code == 400


def create(endpoint: str, said: dict[str, str]) -> str:
    """An upload that is only begun; gives its asset."""
    metadata = ",".join(f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in said.items())
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "9", "Upload-Metadata": metadata}
    made = httpx.post(endpoint, headers=headers)
    assert made.status_code == 201, made.text
    asset: str = made.headers["Rushes-Asset"]
    return asset


def test_the_other_doors_take_options_too(stack: Stack) -> None:
    url = "https://files.example.com/clip.mp4"
    pulled = httpx.post(f"{stack.url}/v1/assets", json={"url": url, "clip": {"start": 2}, "profile": "quality"})
    assert pulled.status_code == 201, pulled.text
    assert pulled.json()["options"]["clip"] == {"start": 2.0, "end": None}
    assert pulled.json()["profile"].partition("@")[0] == "quality"
    httpx.post(f"{stack.url}/v1/assets/{pulled.json()['id']}/cancel").raise_for_status()
    for wrong in ({"clip": {"end": -1}}, {"watermark": {"name": "x", "size": 2}}, {"profile": "none-such"}):
        assert httpx.post(f"{stack.url}/v1/assets", json={"url": url, **wrong}).status_code in (400, 422)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"#EXTM3U\n", "watermark_unusable"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "watermark_unusable"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "watermark_unusable"),
        (b"", "watermark_unusable"),
        (bytes(6 * 2**20), "too_large"),
    ],
)
def test_what_is_no_picture_is_no_watermark(stack: Stack, data: bytes, code: str) -> None:
    refused = httpx.put(f"{stack.url}/v1/watermarks/bad", content=data)
    assert refused.status_code in (413, 415)
    assert refused.json()["code"] == code
    assert httpx.get(f"{stack.url}/v1/watermarks/bad").status_code == 404


def test_the_same_upload_again_is_copied_and_not_encoded(stack: Stack, tmp_path: Path) -> None:
    source = film(tmp_path / "twice.mp4", 100, shade=30)
    first = finished(stack, upload(stack, source))
    again = finished(stack, upload(stack, source))
    spent = {step["key"]: step for step in again["steps"]}
    before = {step["key"]: step for step in first["steps"]}
    for key in ("encode.0", "audio", "poster", "storyboard"):
        assert spent[key]["avoided_cpu_seconds"] == pytest.approx(before[key]["cpu_seconds"], abs=0.002), key
    assert spent["encode.0"]["cpu_seconds"] < before["encode.0"]["cpu_seconds"]
    assert again["cost"]["avoided_cpu_seconds"] >= before["encode.0"]["cpu_seconds"]
    assert first["cost"]["avoided_cpu_seconds"] == 0
    assert objects(stack, again) == objects(stack, first)
    assert len(objects(stack, first)) >= 4
    metrics = httpx.get(f"{stack.url}/metrics").text
    assert 'rushes_steps_avoided_total{kind="encode"}' in metrics


def test_what_was_taken_down_is_encoded_anew(stack: Stack, tmp_path: Path) -> None:
    source = film(tmp_path / "gone.mp4", 40, shade=200)
    first = finished(stack, upload(stack, source))
    httpx.delete(f"{stack.url}/v1/assets/{first['id']}").raise_for_status()
    again = finished(stack, upload(stack, source))
    assert again["state"] == "ready"
    assert again["cost"]["avoided_cpu_seconds"] == 0
    assert numbers(pictures(top(again))) == list(range(40))


def test_an_asset_is_encoded_again_while_its_old_build_plays_on(stack: Stack, tmp_path: Path) -> None:
    source = film(tmp_path / "again.mp4", 60, shade=160)
    first = finished(stack, upload(stack, source))
    master = first["playback"]["hls"]
    old = {track["name"]: track["url"] for track in first["tracks"]}
    asked = httpx.post(f"{stack.url}/v1/assets/{first['id']}/encodes", json={"profile": "archive"})
    assert asked.status_code == 202, asked.text
    assert asked.json()["encodes"][0]["number"] == 2
    same = httpx.post(f"{stack.url}/v1/assets/{first['id']}/encodes", json={"profile": "archive"})
    assert [one["number"] for one in same.json()["encodes"]] == [2]
    other = httpx.post(f"{stack.url}/v1/assets/{first['id']}/encodes", json={"profile": "quality"})
    assert (other.status_code, other.json()["code"]) == (409, "encode_under_way")
    before = httpx.get(master).text
    assert numbers(pictures(old[first["renditions"][0]["name"]])) == list(range(60))
    last = finished(stack, first["id"], 300)
    assert [one["state"] for one in last["encodes"]] == ["done"], [
        (s["key"], s["state"], s["reason"]) for s in last["steps"]
    ]
    assert (last["state"], last["profile"].partition("@")[0]) == ("ready", "archive")
    assert last["published_build"] == last["build"] > first["build"]
    assert httpx.get(master).text != before
    assert numbers(pictures(top(last))) == list(range(60))
    for address in old.values():  # whoever began on the old build ends on it
        assert httpx.get(address).status_code == 200
    assert numbers(pictures(old[first["renditions"][0]["name"]])) == list(range(60))


def test_an_encode_is_given_up_without_a_trace_in_what_plays(stack: Stack, tmp_path: Path) -> None:
    source = film(tmp_path / "given-up.mp4", 60, shade=210)
    first = finished(stack, upload(stack, source))
    path = f"{stack.url}/v1/assets/{first['id']}/encodes"
    httpx.post(path, json={"profile": "quality"}).raise_for_status()
    assert httpx.delete(f"{path}/2").status_code == 200
    last = finished(stack, first["id"])
    assert [one["state"] for one in last["encodes"]] == ["cancelled"]
    assert (last["state"], last["profile"], last["published_build"]) == (
        "ready",
        first["profile"],
        first["published_build"],
    )
    assert httpx.delete(f"{path}/7").json()["code"] == "encode_not_found"
