"""`rushes transcode`: the whole pipeline once, without a server, on the same engine and the same steps."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rushes import wiring
from rushes.api.views import asset_view
from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.records import Upload
from rushes.clock import SystemClock
from rushes.errors import OPERATOR_REASONS, Refused
from rushes.facts import SourceRef
from rushes.ingest.watermarks import Watermarks
from rushes.keys import build_prefix, media_prefix, new_id, source_key
from rushes.model import Asset, StepView
from rushes.options import Clip, Options, parse_mark
from rushes.settings import Settings, load_profile
from rushes.states import AssetState, Pool, Publication
from rushes.storage.local import LocalStore
from rushes.workers.doorbell import MemoryDoorbell
from rushes.workers.worker import Worker

TENANT = "default"
UNSEEN = -1
"""Priority: nothing is played before everything is there, so no first look is made."""
_MARK = "watermark"
_NO_KEYS = (
    "This profile protects what it makes, and the keys would be lost with the working directory: "
    "set RUSHES_KEY_SECRET or RUSHES_KEY_SERVER_URL."
)
Watch = Callable[[list[StepView]], None]


@dataclass(frozen=True)
class Finished:
    asset: Asset
    steps: list[StepView]
    cost: dict[str, float]

    @property
    def exit_code(self) -> int:
        """0 ready, 1 our fault, 2 the input was refused, 3 held or blocked by policy."""
        if self.asset.state is AssetState.FAILED:
            return 1 if self.asset.reason and self.asset.reason.code in OPERATOR_REASONS else 2
        return 3 if self.asset.publication in (Publication.HELD, Publication.BLOCKED) else 0


@dataclass(frozen=True)
class Extras:
    """What is asked for beyond the profile."""

    clip: Clip | None = None
    watermark: str = ""
    """`logo.png`, or `logo.png,position=top-left,size=0.2`."""


def transcode(file: Path, out: Path, settings: Settings, watch: Watch, extras: Extras | None = None) -> Finished:
    """Take `file` through every step in a private stack below `settings.data`, then lay its stream out in `out`.

    `watch` is called a few times a second with the steps.
    """
    if load_profile(settings.profile).outputs.protection != "none" and not (
        settings.key_secret or settings.key_server_url
    ):
        raise Refused("keys_not_configured", _NO_KEYS)
    bell = MemoryDoorbell()
    store = wiring.open_catalog(settings, bell)
    catalog = Catalog(store)
    asset = _ingest(file, catalog, settings, _options(settings, extras or Extras()))
    asyncio.run(_work(settings, store, bell, lambda: _finished(catalog, asset.id, watch)))
    done = Finished(catalog.asset(asset.id), catalog.steps(asset.id), catalog.cost(asset.id))
    if done.asset.state is AssetState.READY:
        export(LocalStore(Path(settings.storage.removeprefix("file://"))), done.asset, out)
    store.database.close()
    return done


def _options(settings: Settings, extras: Extras) -> Options:
    """A watermark is taken into the private store first, as a server would. Raises Refused for what is no picture."""
    if not extras.watermark:
        return Options(clip=extras.clip)
    path, _, placement = extras.watermark.partition(",")
    mark = parse_mark(",".join([_MARK, *([placement] if placement else [])]))
    marks = Watermarks(LocalStore(Path(settings.storage.removeprefix("file://"))), wiring.tool_settings(settings))
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise Refused("watermark_not_found", f"{path}: {error.strerror}.") from error
    marks.put(TENANT, _MARK, data)
    return marks.resolve(TENANT, extras.clip, mark)


def _ingest(file: Path, catalog: Catalog, settings: Settings, options: Options) -> Asset:
    now = SystemClock().now()
    asset = Asset(
        id=new_id(now), tenant=TENANT, title=file.stem, created_at=now, profile=settings.profile, policy=settings.policy,
        options=options, priority=UNSEEN,
    )  # fmt: skip
    upload = Upload(
        id=new_id(now), asset=asset.id, tenant=TENANT, length=file.stat().st_size, created_at=now, expires_at=now + 3600
    )
    key = source_key(TENANT, asset.id, 1)
    incoming = Path(settings.data) / "incoming"
    shutil.copyfile(file, incoming)
    LocalStore(Path(settings.storage.removeprefix("file://"))).adopt(key, incoming)
    catalog.create_upload(upload, asset)
    catalog.demand(asset.id, "api")  # nobody will ask for what is lazy later
    return catalog.finish_upload(upload.id, SourceRef(key=key, size=file.stat().st_size, filename=file.name))


async def _work(settings: Settings, store: Store, bell: MemoryDoorbell, finished: Callable[[], bool]) -> None:
    plant = wiring.plant(settings, store, bell)
    worker = Worker(plant, tuple(Pool), settings.slots or plant.machine.slots(settings.tune))
    running = asyncio.create_task(worker.run())
    try:
        while not await asyncio.to_thread(finished):
            ended, _ = await asyncio.wait([running], timeout=0.2)
            if ended:
                break
    finally:
        worker.stop()
        await running


def _finished(catalog: Catalog, asset: str, watch: Watch) -> bool:
    steps = catalog.steps(asset)
    watch(steps)
    return all(step.state.is_final for step in steps)


def export(store: LocalStore, asset: Asset, out: Path) -> None:
    """The published tree (pointer, build, what it names) and the artifacts, as plain files that any web server can serve."""
    out.mkdir(parents=True, exist_ok=True)
    for prefix in (media_prefix(asset.id), f"artifacts/{asset.id}/"):
        for info in store.list(prefix):
            if _is_wanted(info.key, asset):
                _copy(store, info.key, out / _place(asset.id, info.key))


def _is_wanted(key: str, asset: Asset) -> bool:
    """Not builds before the newest, nor what they alone name. But all, where the checker refused that one and another is public."""
    media = media_prefix(asset.id)
    if asset.published_build not in (0, asset.build) or not key.startswith((f"{media}b/", f"{media}t/")):
        return True
    return key.startswith((build_prefix(asset.id, asset.build), *(track.prefix for track in asset.tracks)))


def record(done: Finished) -> str:
    """The asset JSON on one line, with addresses relative to the output directory."""
    return asset_view(done.asset, done.steps, done.cost, lambda key: _place(done.asset.id, key)).model_dump_json()


def _place(asset: str, key: str) -> str:
    """Where `export` puts an object: media at the top, artifacts below `artifacts/`."""
    return key.removeprefix(f"media/{asset}/").replace(f"artifacts/{asset}/", "artifacts/", 1)


def _copy(store: LocalStore, key: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(store.localize(key, target.parent), target)
