from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC

from rushes.engine.job import Job, ToolSettings
from rushes.errors import StepFailure
from rushes.isobmff.init_segment import init_segment
from rushes.isobmff.media_segment import media_segment
from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.samples import Sample
from rushes.keys import PRIVATE_TREE
from rushes.media_keys import DerivedKeys, MediaKey
from rushes.model import PackageResult, TracksResult
from rushes.packaging import package
from rushes.packaging.build import build_documents
from rushes.packaging.growing import growing_master
from rushes.packaging.hls import MASTER
from rushes.packaging.pointer import moved
from rushes.packaging.protect import protected
from rushes.settings import load_profile
from rushes.storage.memory import MemoryStore
from rushes.storage.store import IMMUTABLE, PRIVATE
from rushes.storage.workspace import Workspace
from rushes.tracks import Protection, Segment, Track, has_dash
from tests.services.cenc import Opener
from tests.unit.isobmff.conftest import mp4a

ASSET = "0" * 26
KEYS = DerivedKeys(b"what the keys of these tests are made of")
KEY = KEYS.key(ASSET, 1)
SAMPLES = [bytes([number]) * (40 + number) for number in range(1, 9)]


def job(make_job: Callable[..., Job], scheme: str, **more: Any) -> Job:
    profile = load_profile("fast")
    outputs = profile.outputs.model_copy(update={"protection": scheme})
    return make_job(profile=profile.model_copy(update={"outputs": outputs}), **more)


@pytest.fixture
def place(workspace: Workspace) -> Workspace:
    return replace(workspace, tools=ToolSettings(key=KEY))


def sound(workspace: Workspace, name: str = "audio", segments: int = 2) -> Track:
    """A real track of sound in the private tree."""
    prefix = f"private/{ASSET}/t/a/1/{name}/"
    at, samples = 0, []
    for number, content in enumerate(SAMPLES):
        samples.append(Sample(number * 1024, 0, 1024, at, len(content), True))
        at += len(content)
    track = MovieTrack(1, "soun", 48000, mp4a(), "mp4a.40.2", channels=2, sample_rate=48000, samples=samples)
    init, made = init_segment(track), []
    workspace.publish_bytes(prefix + "init.mp4", init, "video/mp4")
    each = len(samples) // segments
    for number in range(segments):
        data, _ = media_segment(b"".join(SAMPLES), samples[number * each : number * each + each], number + 1)
        workspace.publish_bytes(f"{prefix}{number + 1:05d}.m4s", data, "video/iso.segment")
        made.append(Segment(name=f"{number + 1:05d}.m4s", ticks=1024 * each, size=len(data)))
    return Track(
        name=name, kind="audio", prefix=prefix, init_size=len(init), codecs="mp4a.40.2", timescale=48000,
        segments=tuple(made), channels=2, sample_rate=48000,
    )  # fmt: skip


def opened(data: bytes, track: Track, key: MediaKey) -> bytes:
    assert track.protection
    decryptor = Cipher(AES128(bytes.fromhex(key.key)), CBC(bytes.fromhex(track.protection.iv))).decryptor()
    plain = decryptor.update(data) + decryptor.finalize()
    assert plain.endswith(bytes([plain[-1]]) * plain[-1])
    return plain[: -plain[-1]]


def test_without_protection_tracks_stay_what_they_are(make_job: Any, workspace: Workspace) -> None:
    track = sound(workspace)
    assert protected(make_job(), workspace, [track]) == [track]


def test_aes_128_is_every_object_whole_the_init_segment_too(make_job: Any, place: Workspace) -> None:
    clear = sound(place)
    (track,) = protected(job(make_job, "aes-128"), place, [clear])
    assert track.protection == Protection(
        scheme="aes-128", kid=KEY.kid, iv=track.protection.iv if track.protection else ""
    )
    assert track.prefix == f"media/{ASSET}/t/pkg/7/audio/"
    names = [("init.mp4", track.init_size), *((one.name, one.size) for one in track.segments)]
    for name, size in names:
        sealed = place.store.read(track.prefix + name)
        assert len(sealed) == size
        assert opened(sealed, track, KEY) == place.store.read(clear.prefix + name)
    assert not has_dash([track])


def test_tracks_have_vectors_of_their_own_for_they_begin_alike(make_job: Any, place: Workspace) -> None:
    first, second = protected(job(make_job, "aes-128"), place, [sound(place), sound(place, "audio-de")])
    one, other = (place.store.read(track.prefix + "init.mp4")[:16] for track in (first, second))
    assert first.protection != second.protection
    assert one != other


def test_cbcs_opens_by_what_the_init_segment_says_and_the_key(make_job: Any, place: Workspace) -> None:
    (track,) = protected(job(make_job, "cbcs"), place, [sound(place)])
    assert track.protection == Protection(scheme="cbcs", kid=KEY.kid, iv=KEY.iv)
    assert has_dash([track])
    opener = Opener(place.store.read(track.prefix + "init.mp4"), bytes.fromhex(KEY.key))
    segments = [place.store.read(track.prefix + one.name) for one in track.segments]
    assert [sample for data in segments for sample in opener.samples(data)] == SAMPLES
    assert [len(data) for data in segments] == [one.size for one in track.segments]


def test_what_a_build_has_under_the_same_key_is_not_made_again(make_job: Any, place: Workspace) -> None:
    clear = sound(place)
    sealed = protected(job(make_job, "cbcs"), place, [clear])
    known = PackageResult(build=1, tracks=tuple(sealed), complete=True, bytes=1, clear=(clear,))
    later = job(make_job, "cbcs", fence=8)
    assert protected(later, place, [clear], known) == sealed
    rotated = replace(place, tools=ToolSettings(key=KEYS.key(ASSET, 2)))
    (again,) = protected(later, rotated, [clear], known)
    assert again.prefix == f"media/{ASSET}/t/pkg/8/audio/"
    assert again.protection
    assert again.protection.kid == KEYS.key(ASSET, 2).kid


def test_without_a_key_nothing_is_packaged(make_job: Any, workspace: Workspace) -> None:
    with pytest.raises(StepFailure, match="keys_not_configured"):
        protected(job(make_job, "cbcs"), workspace, [sound(workspace)])


def test_what_is_damaged_is_not_published(make_job: Any, place: Workspace) -> None:
    clear = sound(place)
    place.store.put_bytes(clear.prefix + "00002.m4s", b"no segment at all")
    with pytest.raises(StepFailure, match="verify_failed"):
        protected(job(make_job, "cbcs"), place, [clear])


def test_the_private_tree_is_for_no_cache(place: Workspace, make_job: Any) -> None:
    clear = sound(place)
    (track,) = protected(job(make_job, "cbcs"), place, [clear])
    assert place.store.head(clear.prefix + "init.mp4").cache_control == PRIVATE
    assert place.store.head(track.prefix + "init.mp4").cache_control == IMMUTABLE


def test_segments_are_read_a_few_at_a_time(make_job: Any, place: Workspace) -> None:
    class Together(MemoryStore):
        """A segment in the clear is read when another one is being read."""

        gate = threading.Barrier(2)

        def read(self, key: str) -> bytes:
            if key.startswith(PRIVATE_TREE) and key.endswith(".m4s"):
                self.gate.wait(10)
            return super().read(key)

    together = replace(place, store=Together())
    clear = sound(together, segments=4)
    (track,) = protected(job(make_job, "aes-128"), together, [clear])
    names = [one.name for one in track.segments]
    found = [opened(together.store.read(track.prefix + name), track, KEY) for name in names]
    assert found == [MemoryStore.read(together.store, clear.prefix + one.name) for one in clear.segments]


def test_objects_of_a_track_differ_early_though_they_have_one_vector(make_job: Any, place: Workspace) -> None:
    """In CBC, objects under one vector show how far they are the same: up to `mfhd` or `tfdt`, which say where one belongs."""
    (track,) = protected(job(make_job, "aes-128"), place, [sound(place, segments=4)])
    sealed_ones = [place.store.read(track.prefix + one.name) for one in track.segments]
    for one, other in itertools.combinations(sealed_ones, 2):
        same = next(at for at in range(0, len(one), 16) if one[at : at + 16] != other[at : at + 16])
        assert same <= 96
        assert not {one[at : at + 16] for at in range(same, len(one), 16)} & {
            other[at : at + 16] for at in range(same, len(other), 16)
        }


def test_steps_put_the_clear_where_nobody_reads_it(make_job: Any) -> None:
    assert make_job().clear_prefix == f"media/{ASSET}/t/pkg/7/"
    assert job(make_job, "cbcs").clear_prefix == f"private/{ASSET}/t/pkg/7/"


def packaged(make_job: Any, place: Workspace, scheme: str) -> PackageResult:
    tracks = TracksResult(tracks=(sound(place),), decoded_seconds=1.0)
    result = package.run(job(make_job, scheme, inputs={"audio": tracks}, params={"phase": "ready"}), place)
    assert isinstance(result, PackageResult)
    return result


def test_a_build_keeps_what_it_was_made_of_for_those_who_look(make_job: Any, place: Workspace) -> None:
    result = packaged(make_job, place, "cbcs")
    assert result.clear == result.readable == (sound(place),)
    assert isinstance(place.store, MemoryStore)
    public = [info.key for info in place.store.list("media/")]
    assert not any(sample in place.store.read(key) for key in public for sample in SAMPLES)


def test_a_new_key_makes_a_new_build_of_the_same_tracks(make_job: Any, place: Workspace) -> None:
    base = packaged(make_job, place, "cbcs")
    rotated = replace(place, tools=ToolSettings(key=KEYS.key(ASSET, 2)))
    again = job(make_job, "cbcs", build=2, fence=8, inputs={"package.ready": base}, params={"phase": "rekey"})
    result = package.run(again, rotated)
    assert isinstance(result, PackageResult)
    assert (result.build, result.clear, result.complete) == (2, base.clear, True)
    assert {track.protection.kid for track in result.tracks if track.protection} == {KEYS.key(ASSET, 2).kid}
    before, after = (place.store.read(f"media/{ASSET}/b/{build}/audio.m3u8").decode() for build in (1, 2))
    assert KEY.kid in before
    assert KEY.kid not in after


def sealed(track: Track, scheme: Any) -> Track:
    return track.model_copy(update={"protection": Protection(scheme=scheme, kid="ab" * 16, iv="cd" * 16)})


def documents(make_video: Any, make_audio: Any, scheme: str) -> dict[str, str]:
    bare = make_video(sizes=(500_000, 600_000, 100_000))
    if scheme == "aes-128":
        bare = bare.model_copy(
            update={"segments": tuple(one.model_copy(update={"keyframe_size": 0}) for one in bare.segments)}
        )
    return build_documents(ASSET, 3, [sealed(bare, scheme), sealed(make_audio(), scheme)])


def test_playlists_say_how_to_decrypt_before_what_is_encrypted(make_video: Any, make_audio: Any) -> None:
    made = documents(make_video, make_audio, "cbcs")
    uri = f'URI="../../../../keys/{ASSET}/{"ab" * 16}"'
    for name in ("720p.m3u8", "720p-iframes.m3u8", "audio.m3u8"):
        identity, named, init = (
            line for line in made[name].splitlines() if line.startswith(("#EXT-X-KEY", "#EXT-X-MAP"))
        )
        assert identity == (
            f'#EXT-X-KEY:METHOD=SAMPLE-AES,{uri},IV=0x{"cd" * 16},KEYFORMAT="identity",KEYFORMATVERSIONS="1"'
        )
        assert 'URI="data:text/plain;base64,q6urq6urq6urq6urq6urqw==",KEYFORMAT="org.w3.clearkey"' in named
        assert init.startswith("#EXT-X-MAP")
    assert f'#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,{uri},KEYFORMAT="identity"' in made[MASTER]
    pointer = moved(MASTER, made[MASTER], 3)
    assert f'URI="../../keys/{ASSET}/{"ab" * 16}"' in pointer


def test_dash_names_the_scheme_and_the_key_before_anything_else(make_video: Any, make_audio: Any) -> None:
    text = documents(make_video, make_audio, "cbcs")["manifest.mpd"]
    assert text.count('schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cbcs"') == 2
    assert text.count('cenc:default_KID="abababab-abab-abab-abab-abababababab"') == 2
    assert text.count("urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e") == 2
    assert "Laurl" not in text


def test_whole_encrypted_segments_are_for_hls_without_pictures_by_range(make_video: Any, make_audio: Any) -> None:
    made = documents(make_video, make_audio, "aes-128")
    assert set(made) == {"720p.m3u8", "audio.m3u8", MASTER}
    assert "METHOD=AES-128" in made["720p.m3u8"]
    assert "I-FRAME" not in made[MASTER]
    assert made["audio.m3u8"].count("#EXT-X-KEY") == 1


def test_a_first_look_says_its_key_too(make_video: Any) -> None:
    text = growing_master(ASSET, 1, [sealed(make_video(), "cbcs")], bandwidth=1_000_000)
    assert f'URI="../../../../keys/{ASSET}/' in text


@pytest.mark.parametrize(
    ("outputs", "codecs", "sentence"),
    [
        ({"protection": "aes-128", "layout": "single"}, ["h264"], "byte ranges"),
        ({"protection": "cbcs"}, ["h264", "av1"], "AV1"),
        ({"protection": "cbcs", "mp4": 720}, ["h264"], "in the clear"),
    ],
)
def test_what_cannot_be_protected_is_refused_in_a_sentence(
    outputs: dict[str, Any], codecs: list[str], sentence: str
) -> None:
    values = load_profile("fast").model_dump(mode="json")
    values["outputs"] |= outputs
    values["video"]["codecs"] = [{"codec": codec, "preset": "8", "crf": 30} for codec in codecs]
    with pytest.raises(ValueError, match=sentence):
        type(load_profile("fast")).model_validate(values)
