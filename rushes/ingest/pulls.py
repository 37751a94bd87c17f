"""The door for files at an address: an asset whose source is fetched by a worker (`rushes.ingest.pull`)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Protocol

from pydantic import Field

from rushes.addresses import AddressRefused, HttpUrl, Rules, judge, parse_url
from rushes.catalog.arrival import Arrival
from rushes.catalog.bookings import Decide
from rushes.catalog.records import Upload
from rushes.clock import Clock
from rushes.engine.graph import pull
from rushes.errors import Refused
from rushes.ingest.gauges import Gauges
from rushes.ingest.metadata import MAX_NAME
from rushes.ingest.reservations import rule_of
from rushes.ingest.watermarks import Watermarks
from rushes.keys import new_id
from rushes.model import Asset, StepSpec
from rushes.noun import Noun
from rushes.options import Asked, Clip, Mark, Playback
from rushes.quotas import Quotas
from rushes.settings import Settings
from rushes.text import one_line

PATIENCE = 7 * 86_400.0
"""Seconds for which a pull may wait for its turn and for the other server; what came of it is kept as long."""


class PullCatalog(Protocol):
    """The part of the catalog that is needed here. Blocks."""

    def create_arrival(
        self,
        upload: Upload,
        asset: Asset,
        steps: Sequence[StepSpec] = (),
        *,
        name: str | None = None,
        decide: Decide | None = None,
    ) -> Arrival: ...

    def arrival(self, name: str) -> Arrival | None: ...


class Wanted(Noun):
    """What is to be fetched, and what it becomes. Empty names stand for those of the settings."""

    url: str = Field(repr=False)
    title: str = ""
    metadata: dict[str, str] = Field(default_factory=dict)
    profile: str = ""
    policy: str = ""
    clip: Clip | None = None
    watermark: Mark | None = None
    playback: Playback = "public"

    @property
    def asked(self) -> Asked:
        return Asked(clip=self.clip, watermark=self.watermark, playback=self.playback)


class Pulls:
    def __init__(
        self,
        catalog: PullCatalog,
        settings: Settings,
        quotas: Quotas,
        gauges: Gauges,
        watermarks: Watermarks,
        clock: Clock,
    ) -> None:
        self._catalog, self._settings, self._clock = catalog, settings, clock
        self._watermarks = watermarks
        self._quotas, self._gauges = quotas, gauges
        self._rules = Rules(
            private=settings.pull_private == "on", http=settings.pull_http == "on", ports=settings.ports_to_pull_from
        )

    def begin(self, tenant: str, request: Mapping[str, Any], retry_key: str | None = None) -> Arrival:
        """The asset, `uploading`, and the step that fetches its source. Blocks. `request` has the fields of `Wanted`.

        With a `retry_key` (`Idempotency-Key`) the same request again gives the same asset. Raises Refused for an address
        that we would not fetch from or a key that was used for something else, and what admission raises.
        """
        wanted = Wanted.model_validate(request)
        url = self._checked(wanted.url)
        self._quotas.check_names(tenant, self._settings, profile=wanted.profile, policy=wanted.policy)
        name = _name(tenant, retry_key) if retry_key else None
        if name and (earlier := self._catalog.arrival(name)):
            return _same(earlier, wanted, url)
        upload, asset = self._mint(tenant, wanted, url)
        premises = self._gauges.premises(tenant)
        steps = [pull(str(url), upload.id)]
        made = self._catalog.create_arrival(upload, asset, steps, name=name, decide=rule_of(upload, premises))
        return made if made.is_new else _same(made, wanted, url)

    def _checked(self, text: str) -> HttpUrl:
        """A literal address is judged at once, a name when it is resolved."""
        try:
            url = parse_url(text, self._rules)
            try:
                literal = [ip_address(url.host)]
            except ValueError:
                return url
            judge(url.host, literal, self._rules)
            return url
        except AddressRefused as error:
            raise Refused("pull_refused_address", str(error)) from error

    def _mint(self, tenant: str, wanted: Wanted, url: HttpUrl) -> tuple[Upload, Asset]:
        now = self._clock.now()
        filename = one_line(url.filename, MAX_NAME)
        asset = Asset(
            id=new_id(now),
            tenant=tenant,
            title=wanted.title or filename,
            metadata=wanted.metadata,
            created_at=now,
            profile=wanted.profile or self._settings.profile,
            policy=wanted.policy or self._settings.policy,
            options=self._watermarks.options(tenant, wanted.asked),
        )
        upload = Upload(
            id=new_id(now),
            asset=asset.id,
            tenant=tenant,
            kind="fetched",
            length=None,
            metadata={**wanted.metadata, "filename": filename, _MARK: _asked_for(wanted, url)},
            created_at=now,
            expires_at=now + PATIENCE,
        )
        return upload, asset


_MARK = "pulled-from"
"""By which a repeated request is known: the digest of an address, for the address itself may hold a signature, and of what was
asked for beyond the profile."""


def _asked_for(wanted: Wanted, url: HttpUrl) -> str:
    options = [one.model_dump_json() for one in (wanted.clip, wanted.watermark) if one is not None]
    options += [wanted.playback] if wanted.playback != "public" else []
    return _digest(" ".join([str(url), *options]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _name(tenant: str, retry_key: str) -> str:
    return f"pull:{_digest(f'{tenant}:{retry_key}')}"


def _same(earlier: Arrival, wanted: Wanted, url: HttpUrl) -> Arrival:
    if earlier.upload.metadata.get(_MARK) != _asked_for(wanted, url):
        message = "This Idempotency-Key came with another request before."
        raise Refused("idempotency_key_reused", message, status=422)
    return earlier
