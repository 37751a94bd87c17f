from __future__ import annotations

from pathlib import Path

import pytest

from rushes.settings import SettingsError, load_policy, load_profile, load_settings

NO_FILE = Path("/nonexistent/rushes.toml")


def test_defaults_are_the_embedded_stack() -> None:
    settings = load_settings({}, file=NO_FILE)
    assert settings.database.startswith("sqlite:///")
    assert settings.storage.startswith("file:///")
    assert settings.policy == "development"


def test_the_environment_goes_over_the_file_and_arguments_over_both(tmp_path: Path) -> None:
    file = tmp_path / "rushes.toml"
    file.write_text('policy = "strict"\nslots = 3\n')
    settings = load_settings({"RUSHES_SLOTS": "5"}, file=file)
    assert (settings.policy, settings.slots) == ("strict", 5)
    assert load_settings({"RUSHES_SLOTS": "5"}, file=file, slots=7).slots == 7


def test_none_means_not_given() -> None:
    assert load_settings({"RUSHES_SLOTS": "5"}, file=NO_FILE, slots=None).slots == 5


def test_a_wrong_value_is_a_sentence_that_names_it() -> None:
    with pytest.raises(SettingsError, match=r"slots: .*'many'"):
        load_settings({"RUSHES_SLOTS": "many"}, file=NO_FILE)


def test_an_unknown_key_in_the_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rushes.toml"
    file.write_text('polcy = "strict"\n')
    with pytest.raises(SettingsError, match="polcy"):
        load_settings({}, file=file)


def test_a_broken_file_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "rushes.toml"
    file.write_text("policy = \n")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings({}, file=file)


def test_short_api_keys_are_refused() -> None:
    settings = load_settings({"RUSHES_API_KEYS": "acme:short"}, file=NO_FILE)
    with pytest.raises(SettingsError, match="16 characters"):
        _ = settings.keys


@pytest.mark.parametrize("name", ["fast", "balanced", "quality", "archive", "lazy"])
def test_shipped_profiles_load(name: str) -> None:
    assert load_profile(name).name == name


@pytest.mark.parametrize("name", ["development", "strict"])
def test_shipped_policies_load(name: str) -> None:
    assert load_policy(name).name == name


@pytest.mark.parametrize("name", ["missing", "../strict", "", "/etc/passwd"])
def test_other_names_are_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(SettingsError, match="development, strict"):
        load_policy(name)


def test_a_file_of_ones_own_is_taken_by_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\nversion = 3\npublish_when = "playable"\n')
    assert load_policy(str(file)).ref == "mine@3"
