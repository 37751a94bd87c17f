"""`rushes replay`: a step done again on this machine, as it was when it was set aside or as it is now, to see how it ends."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from rushes import wiring
from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.database import migrations
from rushes.catalog.open import open_database
from rushes.engine.bundle import Bundle
from rushes.errors import Refused, StepFailure
from rushes.ffmpeg.version import version
from rushes.key_servers import key_server
from rushes.noun import stored
from rushes.settings import Settings, SettingsError, load_settings
from rushes.workers.attempting import tools_for
from rushes.workers.bundle import order_of
from rushes.workers.bundle import replay as do_again
from rushes.workers.media_key import with_key
from rushes.workers.order import Done, Failed


def run(step: str, *, source: Path | None, keep: Path | None, data: Path | None) -> tuple[Bundle, Done | Failed]:
    """How a step ends this time. `step`: its id, ASSET/KEY, or a file with its bundle."""
    settings = load_settings(os.environ, data=data)
    bundle = read_bundle(step, settings)
    with tempfile.TemporaryDirectory(prefix="rushes-replay-") as temporary:
        place = keep or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        return bundle, _ended(bundle, settings, place.absolute(), source)


def read_bundle(step: str, settings: Settings) -> Bundle:
    """Raises Refused `not_a_bundle`, NotFound `step_not_found`, StepFailure where the media tool does not run."""
    if Path(step).is_file():
        try:
            return stored(Bundle, Path(step).read_bytes())
        except ValidationError as error:
            wrong = ", ".join(sorted({".".join(map(str, issue["loc"])) or "the whole" for issue in error.errors()}))
            raise Refused(
                "not_a_bundle", f"{step} is not what `rushes quarantine show` prints: see {wrong}."
            ) from error
    database = open_database(settings.database)
    if (database.version() or "") < migrations()[-1][0]:
        raise SettingsError(
            f"There is no catalog of this version at {settings.data}; see RUSHES_DATABASE_URL, and --data."
        )
    return Catalog(Store(database)).bundle(step, tool=version(wiring.tool_settings(settings)))


def _ended(bundle: Bundle, settings: Settings, place: Path, source: Path | None) -> Done | Failed:
    job = bundle.job
    if job is None:
        raise Refused("not_replayable", "The record of this step could not be read; its bundle says what was in it.")
    order = order_of(job, place, settings.storage, tools_for(job, wiring.tool_settings(settings)), source)
    try:
        tools = with_key(job, order.tools, key_server(settings))
    except StepFailure as failure:
        return Failed.of(failure, 0.0)
    return asyncio.run(do_again(order.model_copy(update={"tools": tools}), settings.storage))
