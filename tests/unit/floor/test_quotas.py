from __future__ import annotations

from pathlib import Path

import pytest

from rushes.errors import Refused
from rushes.quotas import Quota, Quotas, load_quotas
from rushes.settings import Settings, SettingsError


def written(folder: Path, text: str) -> Settings:
    path = folder / "quotas.toml"
    path.write_text(text, encoding="utf-8")
    return Settings(quotas=str(path), tenant_open_uploads=7, tenant_bandwidth=1000)


def test_without_a_file_the_settings_are_for_all() -> None:
    quotas = load_quotas(Settings(tenant_bytes_per_day=5, tenant_requests=3))
    assert quotas.of("anybody") == Quota(bytes_per_day=5, requests=3)
    assert Quotas().of("anybody").is_none


def test_a_tenants_table_goes_before_the_settings_where_it_says_something(tmp_path: Path) -> None:
    quotas = load_quotas(written(tmp_path, '[tenant.acme]\nopen_uploads = 0\npolicies = ["strict"]\n'))
    assert quotas.of("acme") == Quota(open_uploads=0, bandwidth=1000, policies=("strict",))
    assert quotas.of("others") == Quota(open_uploads=7, bandwidth=1000)
    assert not quotas.of("others").is_none


def test_a_tenant_may_name_what_the_operator_gave_it_and_nothing_else(tmp_path: Path) -> None:
    settings = written(tmp_path, '[tenant.acme]\npolicies = ["strict"]\n')
    quotas = load_quotas(settings)
    quotas.check_names("acme", settings, profile=settings.profile, policy="strict")
    quotas.check_names("others", settings)
    with pytest.raises(Refused, match="policy_not_allowed"):
        quotas.check_names("others", settings, policy="strict")
    with pytest.raises(Refused, match="profile_not_allowed"):
        quotas.check_names("acme", settings, profile="strict")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tenant.acme]\nopen_upload = 3\n", "[tenant.acme]: open_upload"),
        ("[tenant.acme]\nopen_uploads = -3\n", "greater than or equal to 0"),
        ("[tenants.acme]\nopen_uploads = 3\n", "tenants"),
        ('[tenant]\nacme = "many"\n', "tenant.acme"),
        ("open uploads = 3", "cannot be read"),
        ('[tenant.acme]\npolicies = ["lenient"]\n', "lenient"),
        ('[tenant.acme]\nprofiles = ["best"]\n', "best"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_quotas(written(tmp_path, text))
    assert said in str(refused.value)


def test_a_file_that_is_not_there_is_not_overlooked(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="RUSHES_QUOTAS"):
        load_quotas(Settings(quotas=str(tmp_path / "none.toml")))


def test_the_profiles_that_a_tenant_may_name_are_those_of_the_settings_or_its_own(tmp_path: Path) -> None:
    settings = written(tmp_path, '[tenant.acme]\nprofiles = ["archive"]\n').model_copy(
        update={"profiles": "quality, balanced"}
    )
    quotas = load_quotas(settings)
    quotas.check_names("others", settings, profile="quality")
    quotas.check_names("acme", settings, profile="archive")
    for tenant, profile in (("others", "archive"), ("acme", "quality"), ("others", "../secret.toml")):
        with pytest.raises(Refused, match="profile_not_allowed"):
            quotas.check_names(tenant, settings, profile=profile)
    with pytest.raises(SettingsError, match="best"):
        load_quotas(settings.model_copy(update={"profiles": "best"}))
