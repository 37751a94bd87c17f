"""Assets as one reads them from the catalog for an answer: the asset, its steps and what it cost, together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from fastapi import Request

from rushes.api import preview
from rushes.api.models import AssetView
from rushes.api.services import services_of
from rushes.api.views import Link, asset_view, in_directory, is_protected, private_playback, under
from rushes.catalog.catalog import Catalog
from rushes.errors import NotFound
from rushes.model import Asset, StepView


@dataclass(frozen=True)
class Record:
    asset: Asset
    steps: tuple[StepView, ...]
    cost: dict[str, float]

    @property
    def is_over(self) -> bool:
        """Nothing more will happen to it by itself."""
        return self.asset.state.is_final and all(step.state.is_final for step in self.steps)

    @property
    def version(self) -> str:
        """Changes with the asset and with the states of its steps, not with their progress."""
        states = ",".join(f"{step.key}={step.state}" for step in self.steps)
        return f"{self.asset.revision}-{hashlib.sha256(states.encode()).hexdigest()[:12]}"


def load(catalog: Catalog, asset: str) -> Record:
    """Blocks on the catalog. Raises NotFound."""
    return complete(catalog, catalog.asset(asset))


def complete(catalog: Catalog, asset: Asset) -> Record:
    return Record(asset, tuple(catalog.steps(asset.id)), catalog.cost(asset.id))


def owned(catalog: Catalog, tenant: str, asset: str) -> Asset:
    """Raises NotFound for what is not there and, in the same words, for what belongs to another tenant."""
    noun = catalog.asset(asset)
    if noun.tenant != tenant:
        raise NotFound("asset_not_found", "There is no asset of this id.")
    return noun


def base_url(request: Request) -> str:
    """What the outside calls us, without a slash at the end."""
    return str(services_of(request).settings.public_url or request.base_url).rstrip("/")


def render(request: Request, record: Record) -> AssetView:
    base, asset = base_url(request), record.asset
    expires = preview.expiry(services_of(request).clock.now())
    token = preview.sign(request.app.state.preview_secret, asset.id, expires)
    private = private_playback(asset, previews(base, token, asset.id, protected=is_protected(asset)), expires)
    return asset_view(asset, record.steps, record.cost, under(base), private)


def previews(base: str, token: str, asset: str, *, protected: bool = False) -> Link:
    """Keys of an asset to addresses of its private preview. Those of a protected one have the whole key in them: its playlists
    say where its keys are by how many levels up they are."""
    below = in_directory(asset)

    def link(key: str) -> str:
        whole = protected and not key.startswith("artifacts/")
        return f"{base}/preview/{token}/{key if whole else below(key)}"

    return link
