"""What a tenant may have at a time, from the settings and, for single tenants, from a file of theirs.

[tenant.acme]
open_uploads = 200
bytes_per_day = 2_000_000_000_000
policies = ["strict"]
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from rushes.errors import Refused
from rushes.noun import Noun
from rushes.settings import Settings, SettingsError, load_policy, load_profile, validated


class Quota(Noun):
    """0 is no limit."""

    open_uploads: int = Field(default=0, ge=0)
    """Unfinished uploads, parts of parallel ones included."""
    bytes_open: int = Field(default=0, ge=0)
    """Bytes that unfinished uploads have declared or reserved."""
    bytes_per_day: int = Field(default=0, ge=0)
    """Bytes of uploads that began within 24 hours; those given up do not count."""
    bandwidth: int = Field(default=0, ge=0)
    """Bytes per second of all its uploads together, in each server process."""
    requests: int = Field(default=0, ge=0)
    """Requests that bring bytes at a time, in each server process."""
    weight: float = Field(default=1.0, gt=0.0, le=1000.0)
    """Its share of the workers beside those of others who wait too."""
    running: int = Field(default=0, ge=0)
    """Steps of one pool that it may have running at a time."""
    profiles: tuple[str, ...] | None = None
    """Beside the one of the settings, those that may be named for its assets. None: those of `RUSHES_PROFILES`."""
    policies: tuple[str, ...] = ()

    @property
    def is_none(self) -> bool:
        """Whether admission has nothing to count."""
        return not (self.open_uploads or self.bytes_open or self.bytes_per_day)


class _File(Noun):
    tenant: dict[str, dict[str, Any]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Quotas:
    usual: Quota = field(default_factory=Quota)
    tenants: Mapping[str, Quota] = field(default_factory=dict)

    def of(self, tenant: str) -> Quota:
        return self.tenants.get(tenant, self.usual)

    def check_names(self, tenant: str, settings: Settings, *, profile: str = "", policy: str = "") -> None:
        """What is not the operator's choice for this tenant is not to be had: a policy decides what becomes public.

        Empty names stand for those of the settings. Raises Refused.
        """
        quota = self.of(tenant)
        profiles = settings.named_profiles if quota.profiles is None else quota.profiles
        _check_name("profile", profile, tuple(dict.fromkeys((settings.profile, *profiles))))
        _check_name("policy", policy, (settings.policy, *quota.policies))


def _check_name(what: str, name: str, allowed: tuple[str, ...]) -> None:
    if name and name not in allowed:
        raise Refused(f"{what}_not_allowed", f"`{what}` may be: {', '.join(allowed)}.")


def load_quotas(settings: Settings) -> Quotas:
    """What a tenant's table does not say is as in the settings. Raises SettingsError."""
    usual = Quota(
        open_uploads=settings.tenant_open_uploads,
        bytes_open=settings.tenant_bytes_open,
        bytes_per_day=settings.tenant_bytes_per_day,
        bandwidth=settings.tenant_bandwidth,
        requests=settings.tenant_requests,
        running=settings.tenant_running,
    )
    for profile in settings.named_profiles:
        load_profile(profile)
    if not settings.quotas:
        return Quotas(usual)
    origin = f"RUSHES_QUOTAS, {settings.quotas}"
    tables = validated(_File, _read(Path(settings.quotas)), origin).tenant
    tenants = {
        name: validated(Quota, {**usual.model_dump(), **table}, f"{origin}, [tenant.{name}]")
        for name, table in tables.items()
    }
    for quota in tenants.values():
        for profile in quota.profiles or ():
            load_profile(profile)
        for policy in quota.policies:
            load_policy(policy)
    return Quotas(usual, tenants)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"RUSHES_QUOTAS: {path} cannot be read: {error}.") from error
