"""Settings: unknown keys, wrong values and secrets."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from crmkit import CRM, ConfigError, Secret, SettingsError
from crmkit.settings import build_settings


@attrs.frozen(kw_only=True)
class Mail:
    host: str
    password: Secret = attrs.field(default=Secret(""))


def test_a_secret_is_wrapped_by_its_annotation_alone() -> None:
    """Found by a reviewer: without it the plain text shows in the repr of a settings class."""
    made = build_settings(Mail, {"host": "x", "password": "hunter2"}, "settings['mail']")
    assert "hunter2" not in repr(made)
    assert made.password.reveal() == "hunter2"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"hst": "x"},
            r"settings\['mail'\] has no setting 'hst'; did you mean 'host'\? known are: host, password",
        ),
        ({}, r"settings\['mail'\].*'host'"),
        ("host=x", "must be a mapping"),
    ],
)
def test_mistakes_name_the_path_and_what_would_be_right(values: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        build_settings(Mail, values, "settings['mail']")


@pytest.mark.parametrize(
    ("core", "words"),
    [
        ({"lease": 5}, "positive timedelta"),
        ({"attempts": 0}, "1 to 1000"),
        ({"lese": 1}, "did you mean 'lease'"),
    ],
)
def test_the_core_checks_its_own(core: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        CRM("sqlite://", settings={"core": core})


@pytest.mark.parametrize(
    ("target", "words"),
    [("nonsense", "cannot be used"), ("oracle://x", "cannot be used|not supported"), (7, "not int")],
)
def test_the_database_is_checked(target: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        CRM(target)


@attrs.frozen(kw_only=True)
class Ports:
    port: int = attrs.field(default=25, validator=attrs.validators.instance_of(int))


def test_a_validator_of_attrs_is_told_in_its_own_words() -> None:
    with pytest.raises(SettingsError, match=r"settings\['ports'\]: 'port' must be <class 'int'>") as caught:
        build_settings(Ports, {"port": "x"}, "settings['ports']")
    assert "Attribute(" not in str(caught.value)


def test_settings_are_a_mapping() -> None:
    with pytest.raises(ConfigError, match="must be a mapping by plugin name, not list"):
        CRM("sqlite://", settings=[("core", {})])  # type: ignore[arg-type]


def test_secrets_are_redacted_from_what_is_recorded() -> None:
    crm = CRM("sqlite://", settings={"core": {"secret": "hunter2"}})
    assert crm.redact("login with hunter2 failed") == "login with *** failed"
    assert "hunter2" not in repr(crm.settings)
