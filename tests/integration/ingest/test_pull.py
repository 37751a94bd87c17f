"""The step PULL against a real HTTPS server that misbehaves, with real files below it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from rushes.addresses import Address, Rules, parse_url
from rushes.clock import Clock, SystemClock
from rushes.engine.job import Job, PullSettings, ToolSettings
from rushes.errors import Blame, StepFailure
from rushes.facts import SourceRef
from rushes.ingest import pull as pulling
from rushes.ingest.fetch import Fetcher
from rushes.ingest.local import LocalUploadStore
from rushes.ingest.pull import Pull
from rushes.ingest.s3 import S3UploadStore
from rushes.ingest.store import UploadMissing, UploadStore
from rushes.keys import new_id, source_key
from rushes.model import PullResult
from rushes.policies import Policy
from rushes.settings import Settings, load_policy, load_profile
from rushes.states import StepKind
from rushes.storage.bucket import Bucket
from rushes.storage.local import LocalStore
from rushes.storage.open import open_store
from rushes.storage.store import ObjectMissing, ObjectStore
from rushes.storage.workspace import Workspace
from rushes.wiring import pull_settings
from tests.services.files import File, FileServer, file_server
from tests.services.swift import Swift

DATA = random.Random(4).randbytes(1_000_000)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    with file_server(tmp_path_factory.mktemp("files")) as server:
        yield server


@pytest.fixture
def server(running: FileServer, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    monkeypatch.setattr(pulling, "pause", lambda seconds: None)
    running.files.clear()
    running.seen.clear()
    return running


class Bench:
    """One asset to be pulled, by as many attempts as a test wants."""

    def __init__(self, server: FileServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.objects: ObjectStore = LocalStore(folder / "objects")
        self.uploads: UploadStore = LocalUploadStore(folder / "uploads")
        self.asset, self.upload = new_id(1.0), new_id(2.0)
        self.key = source_key("t", self.asset, 1)
        self.fence = 0
        self.settings = PullSettings(private=True, ports=(server.port,), ca_file=str(server.ca_file))
        self.progress: list[float] = []
        self.clock: Clock | None = None

    def pull(self, path: str = "/clip.mp4", url: str = "") -> PullResult:
        """One attempt."""
        job = self.job(path, url)
        tools = ToolSettings(pull=self.settings)
        workspace = Workspace(self.objects, self.folder, tools, self.progress.append)
        return Pull(job, workspace, self.uploads, self.settings, self.clock).run()

    def job(self, path: str = "/clip.mp4", url: str = "") -> Job:
        """Of the next attempt."""
        self.fence += 1
        policy: Policy = load_policy("development")
        return Job(
            step_id="s", key="pull", kind=StepKind.PULL, asset=self.asset, tenant="t", fence=self.fence, recipe="r",
            params={"url": url or self.server.url(path), "upload": self.upload}, source=SourceRef(key="", size=0),
            profile=load_profile("fast"), policy=policy,
        )  # fmt: skip

    def failure(self, path: str = "/clip.mp4", url: str = "") -> StepFailure:
        with pytest.raises(StepFailure) as caught:
            self.pull(path, url)
        return caught.value

    def stored(self) -> int:
        try:
            return self.uploads.stat(self.upload).size
        except UploadMissing:
            return -1

    def assert_whole(self, data: bytes = DATA) -> None:
        assert self.objects.read(self.key) == data
        assert self.stored() == -1, "the upload was handed over"
        assert [found.key for found in self.objects.list("sources/")] == [self.key], "no note is left"


@pytest.fixture
def bench(server: FileServer, tmp_path: Path) -> Bench:
    return Bench(server, tmp_path)


def test_a_file_is_fetched_whole(bench: Bench) -> None:
    bench.server.files["/clip.mp4"] = File(DATA)
    result = bench.pull()
    assert (result.size, result.filename, result.upload) == (len(DATA), "clip.mp4", bench.upload)
    bench.assert_whole()
    assert bench.progress[-1] == 1.0
    seen = bench.server.seen[0].headers
    assert seen["host"] == f"localhost:{bench.server.port}"
    assert seen["accept-encoding"] == "identity"
    assert "cookie" not in seen
    assert "authorization" not in seen


def test_a_second_attempt_finds_what_was_handed_over(bench: Bench) -> None:
    bench.server.files["/clip.mp4"] = File(DATA)
    bench.pull()
    assert bench.pull().size == len(DATA)
    assert len(bench.server.seen) == 1


def test_a_cut_is_resumed_where_it_happened(bench: Bench) -> None:
    bench.server.files["/clip.mp4"] = File(DATA, cuts=[300_000, 200_000])
    bench.pull()
    bench.assert_whole()
    first, *later = bench.server.ranges("/clip.mp4")
    assert first is None
    assert len(later) == 2
    assert all(header and 0 < int(header.removeprefix("bytes=").removesuffix("-")) < 1_000_000 for header in later)


def test_a_date_serves_where_there_is_no_etag(bench: Bench) -> None:
    modified = "Sun, 15 Jun 2025 15:06:39 GMT"
    bench.server.files["/clip.mp4"] = File(DATA, etag=None, modified=modified, cuts=[300_000])
    bench.pull()
    bench.assert_whole()
    assert bench.server.seen[1].headers["if-range"] == modified


def test_a_connection_that_brings_nothing_is_left_to_the_engine(bench: Bench) -> None:
    bench.server.files["/clip.mp4"] = File(DATA, cuts=[300_000, 0])
    failure = bench.failure()
    assert (failure.code, failure.blame) == ("pull_failed", Blame.TRANSIENT)
    assert bench.stored() > 0
    bench.pull()
    bench.assert_whole()
    assert bench.server.ranges("/clip.mp4")[2] is not None


def test_a_server_that_heeds_no_ranges_is_read_past_what_is_there(bench: Bench) -> None:
    bench.server.files["/clip.mp4"] = File(DATA, ranges=False, cuts=[300_000])
    bench.pull()
    bench.assert_whole()


def test_without_a_validator_it_begins_anew(bench: Bench) -> None:
    bench.server.files["/clip.mp4"] = File(DATA, etag=None, cuts=[300_000])
    bench.pull()
    bench.assert_whole()
    assert bench.server.ranges("/clip.mp4") == [None, None]


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_a_file_that_changes_on_the_way_begins_anew(bench: Bench, heeds_if_range: bool) -> None:
    other = DATA[::-1]

    def change(file: File) -> None:
        file.data, file.etag = other, '"two"'

    bench.server.files["/clip.mp4"] = File(DATA, cuts=[300_000], after_cut=change, heeds_if_range=heeds_if_range)
    bench.pull()
    bench.assert_whole(other)


def test_a_file_that_always_changes_is_given_up(bench: Bench) -> None:
    def change(file: File) -> None:
        file.etag, file.after_cut = f'"{len(bench.server.seen)}"', change

    bench.server.files["/clip.mp4"] = File(DATA, cuts=[300_000] * 20, after_cut=change)
    failure = bench.failure()
    assert (failure.code, failure.blame) == ("pull_changed", Blame.PERMANENT)
    assert len(bench.server.seen) <= 6


def test_chunks_without_a_length_are_counted(bench: Bench) -> None:
    bench.server.files["/clip.mp4"] = File(DATA, chunked=True)
    assert bench.pull().size == len(DATA)
    bench.assert_whole()


def test_a_chunked_body_that_is_cut_is_not_taken_for_whole(bench: Bench) -> None:
    bench.server.files["/clip.mp4"] = File(DATA, chunked=True, cuts=[300_000])
    bench.pull()
    bench.assert_whole()
    assert len(bench.server.seen) == 2


def test_a_length_that_is_too_long_never_becomes_a_source(bench: Bench) -> None:
    bench.server.files["/clip.mp4"] = File(DATA, said=len(DATA) + 5)
    failure = bench.failure()
    assert failure.blame in (Blame.TRANSIENT, Blame.PERMANENT)
    assert failure.code in ("pull_failed", "pull_changed", "pull_unusable")
    with pytest.raises(ObjectMissing):
        bench.objects.head(bench.key)


def test_a_part_that_begins_elsewhere_is_refused(bench: Bench) -> None:
    bench.server.files["/clip.mp4"] = File(DATA, cuts=[300_000], shift=10)
    assert bench.failure().code == "pull_unusable"


def test_a_file_that_says_it_is_too_large_is_not_begun(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(update={"max_bytes": 999_999})
    bench.server.files["/clip.mp4"] = File(DATA)
    assert bench.failure().code == "pull_too_large"
    assert bench.stored() == -1


def test_an_endless_body_ends_at_the_limit(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(update={"max_bytes": 3_000_000})
    bench.server.files["/clip.mp4"] = File(DATA, chunked=True, endless=True)
    failure = bench.failure()
    assert (failure.code, failure.blame) == ("pull_too_large", Blame.PERMANENT)
    assert bench.stored() <= 3_000_000


def test_time_is_limited(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(update={"seconds": 0.0})
    bench.server.files["/clip.mp4"] = File(DATA)
    assert bench.failure().code == "pull_too_slow"


def test_a_server_that_sends_too_slowly_is_left_for_later(bench: Bench) -> None:
    class Hurried(SystemClock):
        """Each look at it is half a minute after the one before."""

        def __init__(self) -> None:
            self.looks = 0

        def monotonic(self) -> float:
            self.looks += 1
            return self.looks * 30.0

    bench.settings = bench.settings.model_copy(update={"seconds": 1e9, "min_rate": 10**6})
    bench.clock = Hurried()
    bench.server.files["/clip.mp4"] = File(DATA)
    failure = bench.failure()
    assert (failure.code, failure.blame) == ("pull_too_slow", Blame.TRANSIENT)
    assert 0 < bench.stored() < len(DATA), "what came is kept"


def test_an_empty_file_is_refused(bench: Bench) -> None:
    bench.server.files["/clip.mp4"] = File(b"")
    assert bench.failure().code == "empty_file"


@pytest.mark.parametrize(("status", "code"), [(404, "pull_not_found"), (403, "pull_not_allowed"), (500, "pull_failed")])
def test_a_refusal_has_its_reason(bench: Bench, status: int, code: str) -> None:
    bench.server.files["/clip.mp4"] = File(status=status)
    assert bench.failure().code == code


def test_a_compressed_answer_is_refused(bench: Bench) -> None:
    bench.server.files["/clip.mp4"] = File(DATA, headers={"Content-Encoding": "gzip"})
    assert bench.failure().code == "pull_unusable"


def test_the_server_may_name_the_file(bench: Bench) -> None:
    name = 'attachment; filename="../../etc/holiday.mp4"'
    bench.server.files["/download?id=7"] = File(DATA, headers={"Content-Disposition": name})
    assert bench.pull("/download?id=7").filename == "holiday.mp4"


# -- where it goes ----------------------------------------------------------------------------------------------------


def test_redirects_are_followed(bench: Bench) -> None:
    bench.server.files["/a"] = File(status=302, headers={"Location": "/b", "Set-Cookie": "a=b"})
    bench.server.files["/b"] = File(status=307, headers={"Location": bench.server.url("/clip.mp4")})
    bench.server.files["/clip.mp4"] = File(DATA)
    bench.pull("/a")
    bench.assert_whole()
    assert all("cookie" not in seen.headers for seen in bench.server.seen)


def test_redirects_are_not_followed_for_ever(bench: Bench) -> None:
    bench.server.files["/a"] = File(status=302, headers={"Location": "/a"})
    assert bench.failure("/a").code == "pull_redirects"
    assert len(bench.server.seen) == 6


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost/x", "https://169.254.169.254/latest/meta-data/", "https://user:pass@localhost/",
        "https://[::ffff:127.0.0.1]/", "file:///etc/passwd", "https://localhost:22/",
    ],
)  # fmt: skip
def test_a_redirect_to_where_we_do_not_go_is_refused(bench: Bench, location: str) -> None:
    bench.settings = bench.settings.model_copy(update={"ports": (bench.server.port, 443)})
    bench.server.files["/a"] = File(status=302, headers={"Location": location})
    failure = bench.failure("/a")
    assert (failure.code, failure.blame) == ("pull_refused_address", Blame.PERMANENT)
    assert len(bench.server.seen) == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_loopback_is_refused_unless_a_setting_opens_it(bench: Bench, host: str) -> None:
    bench.settings = bench.settings.model_copy(update={"private": False})
    bench.server.files["/clip.mp4"] = File(DATA)
    assert bench.failure(url=bench.server.url("/clip.mp4", host)).code == "pull_refused_address"
    assert bench.server.seen == []


def test_a_server_that_cannot_prove_its_name_is_refused(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(update={"ca_file": ""})
    bench.server.files["/clip.mp4"] = File(DATA)
    assert bench.failure().code == "pull_insecure"
    assert bench.server.seen == []


def test_a_port_where_nobody_listens_is_tried_again(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(update={"ports": (1,)})
    failure = bench.failure(url="https://127.0.0.1:1/clip.mp4")
    assert (failure.code, failure.blame) == ("pull_failed", Blame.TRANSIENT)


def fetch(server: FileServer, rules: Rules, resolve: Callable[[str, int], Sequence[Address]]) -> int:
    fetcher = Fetcher(rules, str(server.ca_file), resolve)
    with fetcher.get(parse_url(f"https://files.test:{server.port}/clip.mp4", rules), {}) as answer:
        return len(b"".join(answer.pieces()))


def test_the_connection_goes_to_the_address_that_was_judged(server: FileServer) -> None:
    """A name that resolves differently the second time gains nothing: there is no second time."""
    server.files["/clip.mp4"] = File(DATA)
    answers = [[ip_address("127.0.0.1")], [ip_address("169.254.169.254")]]
    asked: list[str] = []

    def resolve(host: str, port: int) -> Sequence[Address]:
        asked.append(host)
        return answers[len(asked) - 1]

    assert fetch(server, Rules(private=True, ports=(server.port,)), resolve) == len(DATA)
    assert asked == ["files.test"]
    assert server.seen[0].headers["host"] == f"files.test:{server.port}"


def test_a_name_with_one_private_address_is_not_connected_to(server: FileServer) -> None:
    server.files["/clip.mp4"] = File(DATA)
    mixed = [ip_address("93.184.216.34"), ip_address("127.0.0.1")]
    with pytest.raises(StepFailure, match="pull_refused_address"):
        fetch(server, Rules(ports=(server.port,)), lambda host, port: mixed)
    assert server.seen == []


def test_the_next_address_is_tried_where_one_does_not_answer(server: FileServer) -> None:
    server.files["/clip.mp4"] = File(DATA)
    both = [ip_address("127.0.0.9"), ip_address("127.0.0.1")]
    assert fetch(server, Rules(private=True, ports=(server.port,)), lambda host, port: both) == len(DATA)


def test_headers_that_never_end_are_not_waited_for(server: FileServer) -> None:
    server.files["/clip.mp4"] = File(drips=True)
    rules = Rules(private=True, ports=(server.port,))
    fetcher = Fetcher(rules, str(server.ca_file), patience=0.3)
    url = parse_url(server.url("/clip.mp4"), rules)
    with pytest.raises(StepFailure) as caught, fetcher.get(url, {}):
        pass
    assert (caught.value.code, caught.value.blame) == ("pull_failed", Blame.TRANSIENT)


def test_no_proxy_of_the_environment_is_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    bench.server.files["/clip.mp4"] = File(DATA)
    bench.pull()
    bench.assert_whole()


def test_no_failure_tells_the_query_of_an_address(bench: Bench) -> None:
    bench.server.files["/clip.mp4?sig=s3cret"] = File(status=500)
    failure = bench.failure("/clip.mp4?sig=s3cret")
    assert "s3cret" not in failure.detail + failure.message


def test_an_attempt_that_was_succeeded_between_two_connections_stores_nothing_more(
    bench: Bench, s3: Swift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an attempt as a worker runs it, into a bucket, whose connection is cut
    url = s3.url(s3.bucket(), "videos")
    settings = Settings(
        data=tmp_path / "data", storage_url=url, pull_private="on", pull_ports=str(bench.server.port),
        pull_ca_file=str(bench.server.ca_file),
    )  # fmt: skip
    heir = S3UploadStore(Bucket.parse(url))

    def succeeded(seconds: float) -> None:
        appender = heir.append(bench.upload, 2)
        appender.write([DATA[appender.size : 700_000]])
        appender.commit()
        appender.close()

    monkeypatch.setattr(pulling, "pause", succeeded)
    bench.server.files["/clip.mp4"] = File(DATA, cuts=[300_000])
    workspace = Workspace(open_store(url), tmp_path, ToolSettings(pull=pull_settings(settings)), bench.progress.append)
    # When another attempt goes on meanwhile / Then the first one stores nothing more
    with pytest.raises(StepFailure, match="storage_unavailable"):
        pulling.run(bench.job(), workspace)
    assert heir.stat(bench.upload).size == 700_000
