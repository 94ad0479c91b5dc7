"""Plugins are found by name, built with their own settings only, and checked before they are asked."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cache, cached_property, partial, partialmethod
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest

from crmkit.errors import (
    ConfigError,
    PluginConflict,
    PluginInvalid,
    PluginLoadError,
    PluginNotFound,
    SettingsError,
)
from crmkit.hookspecs import Job, hookimpl
from crmkit.plugins import PluginInfo, installed, listing, load, said, shown
from unit.fake_plugins import MODULE, FakeChannel, hooks_of, install, plugin


@attrs.define(eq=False)
class Loyalty:
    """A plugin of the host's own."""

    @hookimpl
    def crmkit_reward_rules(self) -> list[Any]:
        """Bring no rule."""
        return []


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a function that installs a distribution."""
    return lambda name, source=MODULE, **options: install(monkeypatch, tmp_path, name, source, **options)


# Finding


def test_installed_plugins_are_told_with_distribution_and_version(offer: Any) -> None:
    offer("sms", version="2.1")
    offer("fax")
    found = [info for info in installed() if info.name in ("sms", "fax")]
    assert found == [
        PluginInfo("fax", "crmkit-fax", "1.0", "fake_crmkit_fax:Plugin"),
        PluginInfo("sms", "crmkit-sms", "2.1", "fake_crmkit_sms:Plugin"),
    ]


def test_importing_plugins_does_not_load_importlib_metadata() -> None:
    code = "import sys, crmkit.plugins, crmkit.hooks, crmkit.registry, crmkit.signals\nprint(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"importlib.metadata", "sqlalchemy", "jinja2"} & set(run.stdout.split())


def test_plugins_keep_the_order_of_the_host_whatever_the_order_of_installation(offer: Any) -> None:
    for name in ("mid", "omega", "alpha"):
        offer(name)
    loaded = load(["omega", Loyalty(), "alpha", "mid"], {})
    assert [one.name for one in loaded] == ["omega", "loyalty", "alpha", "mid"]
    assert [str(one) for one in loaded][:2] == [
        "plugin 'omega' (crmkit-omega 1.0)",
        f"plugin 'loyalty' (an instance of {__name__}.Loyalty)",
    ]


def test_nothing_is_loaded_that_is_not_enabled(offer: Any) -> None:
    offer("bomb", "raise SystemExit('imported')")
    assert load([], {}) == ()
    assert [one.name for one in load([Loyalty()], {})] == ["loyalty"]


def test_an_unknown_name_lists_what_is_installed_and_guesses(offer: Any) -> None:
    offer("email")
    with pytest.raises(
        PluginNotFound, match=r"no installed plugin is named 'emial'; did you mean 'email'\?.*email"
    ):
        load(["emial"], {})


def test_two_distributions_that_offer_one_name_are_both_named(offer: Any) -> None:
    offer("sms")
    offer("sms", distribution="other-sms", version="3.2")
    with pytest.raises(PluginConflict, match=r"'sms' is offered by crmkit-sms 1.0 and other-sms 3.2"):
        load(["sms"], {})


@pytest.mark.parametrize(
    "source, cause",
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def broken(:", "SyntaxError"),
        ("x = 1", "AttributeError: module .* has no attribute 'Plugin'"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_named_with_the_cause(
    offer: Any, source: str, cause: str
) -> None:
    offer("sms", source, version="4.5")
    with pytest.raises(
        PluginLoadError, match=rf"'sms' \(crmkit-sms 4.5\) could not be imported: {cause}"
    ) as caught:
        load(["sms"], {})
    assert caught.value.__cause__ is not None
    assert caught.value.plugin == "sms"


@pytest.mark.parametrize("body", ["raise RuntimeError('no socket')", "raise SystemExit('no socket')"])
def test_a_plugin_that_cannot_be_constructed_is_named_with_the_cause(offer: Any, body: str) -> None:
    offer("sms", f"class Plugin:\n    def __init__(self):\n        {body}")
    with pytest.raises(PluginLoadError, match=r"\(crmkit-sms 1.0\) could not be built: .*no socket"):
        load(["sms"], {})


def test_a_keyboard_interrupt_goes_through(offer: Any) -> None:
    offer("sms", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load(["sms"], {})


@pytest.mark.parametrize("source", ["Plugin = 3", "class P: pass\nPlugin = P()", "def Plugin(): pass"])
def test_an_entry_point_that_names_no_class_is_refused(offer: Any, source: str) -> None:
    offer("sms", source)
    with pytest.raises(PluginInvalid, match=r"its entry point 'fake_crmkit_sms:Plugin' is no class"):
        load(["sms"], {})


# Settings


def test_a_plugin_is_built_from_its_own_settings_alone(offer: Any) -> None:
    offer("sms")
    offer("fax")
    loaded = load(["sms", "fax"], {"core": {"attempts": 3}, "sms": {"host": "sms.example"}})
    assert [one.plugin.settings.host for one in loaded] == ["sms.example", "localhost"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"smss": {}}, r"settings\['smss'\] belongs to no enabled plugin; did you mean 'sms'\?"),
        ({"sms": {"hots": "x"}}, r"settings\['sms'\] has no setting 'hots'; did you mean 'host'\?"),
        ({"sms": ["host"]}, r"settings\['sms'\] must be a mapping of settings, not list"),
        ([("sms", {})], r"settings must be a mapping of plugin names to mappings, not list"),
        ({3: {}}, r"settings\[3\] belongs to no enabled plugin"),
    ],
)
def test_wrong_settings_are_told_with_their_path(offer: Any, settings: Any, message: str) -> None:
    offer("sms")
    with pytest.raises(SettingsError, match=message):
        load(["sms"], settings)


def test_a_missing_setting_is_named(offer: Any) -> None:
    offer("sms", MODULE.replace('host: str = "localhost"', "host: str"))
    with pytest.raises(SettingsError, match=r"settings\['sms'\]: .*'host'"):
        load(["sms"], {})


def test_a_settings_class_that_breaks_is_the_plugins_fault(offer: Any) -> None:
    offer("sms", MODULE.replace('"localhost"', "attrs.field(converter=lambda v: {}[v])"))
    with pytest.raises(PluginLoadError, match=r"crmkit-sms 1.0\) could not be built: KeyError: 'x'"):
        load(["sms"], {"sms": {"host": "x"}})


def test_settings_of_a_plugin_that_takes_none_are_refused(offer: Any) -> None:
    offer("sms", MODULE.replace("    settings: Settings\n", ""))
    assert load(["sms"], {})[0].name == "sms"
    with pytest.raises(SettingsError, match=r"settings\['sms'\]: plugin 'sms' .* takes no settings"):
        load(["sms"], {"sms": {}})


def test_settings_of_an_instance_are_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"'loyalty' was given as an instance, which brings its own settings"
    ):
        load([Loyalty()], {"loyalty": {}})


@pytest.mark.parametrize("annotation", ["dict", "Settings | None", "'list[Settings]'"])
def test_settings_that_are_no_attrs_class_are_refused(offer: Any, annotation: str) -> None:
    offer("sms", MODULE.replace("settings: Settings", f"settings: {annotation}"))
    with pytest.raises(
        PluginInvalid, match=r"the field `settings` of Plugin is annotated .* one attrs class"
    ):
        load(["sms"], {})


def test_a_settings_class_that_exists_for_type_checkers_only_is_the_plugins_fault(offer: Any) -> None:
    offer("sms", MODULE.replace("settings: Settings", "settings: Elsewhere"))
    with pytest.raises(
        PluginLoadError, match="could not be built: NameError: name 'Elsewhere' is not defined"
    ):
        load(["sms"], {})


# Names


@attrs.define(eq=False)
class SeaMailPlugin(Loyalty):
    """A plugin whose class name ends in Plugin."""


def test_an_instance_is_named_by_its_attribute_or_its_class() -> None:
    module = ModuleType("shop.crm")
    module.crmkit_jobs = hookimpl(lambda: [Job("sweep", print)])  # type: ignore[attr-defined]
    names = [one.name for one in load([SeaMailPlugin(), plugin("own-name", crmkit_jobs=[]), module], {})]
    assert names == ["seamail", "own-name", "crm"]


def test_one_name_twice_is_a_conflict_that_names_both(offer: Any) -> None:
    offer("loyalty", distribution="crmkit-loyalty", version="1.3")
    with pytest.raises(
        PluginConflict, match=r"twice: plugins\[0\] is plugin 'loyalty' \(crmkit-loyalty 1.3\) and plu"
    ):
        load(["loyalty", Loyalty()], {})
    with pytest.raises(
        PluginConflict, match=r"plugins\[1\] is an instance of .*\.Loyalty; .* another `name`"
    ):
        load([Loyalty(), Loyalty()], {})


@pytest.mark.parametrize("name", ["core", "host", "", "two words", "a:b", "x" * 61])
def test_a_name_that_cannot_own_anything_is_refused(name: str) -> None:
    with pytest.raises(PluginInvalid, match=r"plugins\[0\] is named .*; a plugin's name has"):
        load([plugin(name, crmkit_jobs=[])], {})


@pytest.mark.parametrize("attribute", ["name", "requires"])
def test_an_attribute_that_cannot_be_read_is_the_plugins_fault(attribute: str) -> None:
    broken = plugin(crmkit_jobs=[])
    setattr(type(broken), attribute, property(lambda self: 1 // 0))
    with pytest.raises(
        PluginInvalid, match=f"'{attribute}' of an instance of .*Fake could not be read: ZeroDiv"
    ):
        load([broken], {})


@pytest.mark.parametrize("plugins", ["loyalty", {"loyalty": {}}, 3, {"loyalty"}])
def test_plugins_that_are_no_list_are_refused(plugins: Any) -> None:
    with pytest.raises(ConfigError, match="it must be a list such as"):
        load(plugins, {})


# Traps


def test_trap_the_class_instead_of_an_instance() -> None:
    with pytest.raises(
        PluginInvalid, match=r"plugins\[1\] is the class Loyalty; pass an instance, Loyalty\(\.\.\.\)"
    ):
        load([plugin(crmkit_jobs=[]), Loyalty], {})


@attrs.define
class Unhashable(Loyalty):
    """Compares by value and has no hash."""


@attrs.frozen
class EqualByValue(Loyalty):
    """Compares by value and has a hash."""


@dataclass
class ByDataclass(Loyalty):
    """Compares by value, as dataclasses do."""


@pytest.mark.parametrize("cls", [Unhashable, EqualByValue, ByDataclass])
def test_trap_plugins_that_compare_by_value(cls: type[Any]) -> None:
    with pytest.raises(PluginInvalid, match=r"compares by value.*@attrs\.define\(eq=False\)"):
        load([cls()], {})


def test_plugins_may_be_slotted_frozen_or_dataclasses_that_do_not_compare() -> None:
    frozen = attrs.make_class("Frozen", {}, bases=(Loyalty,), eq=False, frozen=True)
    plain = dataclass(eq=False)(type("Plain", (Loyalty,), {}))
    assert [one.hooks for one in load([frozen(), plain()], {})] == [("crmkit_reward_rules",)] * 2


@pytest.mark.parametrize("nothing", [object(), None])
def test_trap_a_plugin_without_any_hook(nothing: Any) -> None:
    with pytest.raises(
        PluginInvalid, match="implements no hook; mark the methods with @hookimpl from crmkit"
    ):
        load([nothing], {})


def test_trap_the_mark_of_another_project() -> None:
    class Foreign:
        def channels(self) -> None:
            """Carries another project's mark."""

    Foreign.channels.datasette_impl = {}  # type: ignore[attr-defined]
    with pytest.raises(
        PluginInvalid, match="implements no hook; it carries the mark of the project 'datasette'"
    ):
        load([Foreign()], {})


def test_trap_a_hook_whose_mark_was_forgotten() -> None:
    forgetful = plugin(crmkit_jobs=[])
    type(forgetful).crmkit_channels = lambda self: []
    with pytest.raises(
        PluginInvalid, match="crmkit_channels is not marked as a hook; mark the methods with @hooki"
    ):
        load([forgetful], {})


@pytest.mark.parametrize(
    "kind",
    [property, cached_property, cache, partial, lambda function: partialmethod(function, 1)],
)
def test_trap_a_hook_that_is_no_plain_method_even_if_it_is_marked(kind: Any) -> None:
    odd = plugin(crmkit_jobs=[])
    type(odd).crmkit_channels = kind(hookimpl(lambda self: []))
    with pytest.raises(PluginInvalid, match=r"crmkit_channels is a \w+; a hook is a plain method, marked"):
        load([odd], {})


def test_plain_data_may_begin_like_a_hook() -> None:
    talkative = plugin(crmkit_jobs=[])
    type(talkative).crmkit_since = "0.1"
    assert load([talkative], {})[0].hooks == ("crmkit_jobs",)


def test_trap_a_misspelt_hook() -> None:
    with pytest.raises(
        PluginInvalid, match="there is no hook 'crmkit_chanels'; did you mean 'crmkit_channels'"
    ):
        load([plugin(crmkit_chanels=[])], {})


def test_two_methods_may_serve_one_hook_and_a_subclass_may_take_a_hook_away() -> None:
    class Base:
        @hookimpl
        def crmkit_jobs(self) -> list[Job]:
            """Bring a job."""
            return [Job("a", print)]

        @hookimpl(specname="crmkit_jobs")
        def more(self) -> list[Job]:
            """Bring another."""
            return [Job("b", print)]

    class Quiet(Base):
        more = None  # type: ignore[assignment]

    assert [one.value.name for one in hooks_of(Base()).jobs()] == ["a", "b"]
    assert [one.value.name for one in hooks_of(Quiet()).jobs()] == ["a"]


def test_an_optional_hook_of_another_version_is_left_alone() -> None:
    class Newer(Loyalty):
        name = "newer"

        @hookimpl(optionalhook=True)
        def crmkit_telepathy(self) -> None:
            """Belongs to a later crmkit."""

    assert hooks_of(Newer()).records[0].hooks == ("crmkit_reward_rules",)


def test_a_method_may_serve_a_hook_of_another_name() -> None:
    class Named(Loyalty):
        @hookimpl(specname="crmkit_channels")
        def speak(self) -> list[Any]:
            """Answer for crmkit_channels."""
            return [FakeChannel()]

    (loaded,) = load([Named()], {})
    assert loaded.hooks == ("crmkit_channels", "crmkit_reward_rules")
    assert len(hooks_of(Named()).channels()) == 1


def test_trap_properties_run_while_a_plugin_is_scanned() -> None:
    class Booby(Loyalty):
        @property
        def crm(self) -> None:
            raise AssertionError("the property was run")

        def __getattr__(self, name: str) -> Any:
            if name in ("requires", "name"):
                raise AttributeError(name)
            raise AssertionError(f"{name} was looked up")

    assert hooks_of(Booby()).records[0].hooks == ("crmkit_reward_rules",)


def test_a_repr_that_raises_breaks_no_message() -> None:
    class Unspeakable:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    class Wordless(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert shown(Unspeakable()) == "<Unspeakable whose repr raised RuntimeError>"
    assert len(shown("x" * 1000)) == 120
    assert said(Wordless()) == "Wordless"


# Requirements


def test_what_a_plugin_requires_must_be_enabled_before_it() -> None:
    tiers = plugin("tiers", crmkit_jobs=[], requires=("loyalty",))
    assert load([Loyalty(), tiers], {})[1].requires == ("loyalty",)
    with pytest.raises(PluginInvalid, match=r"'tiers' .* requires 'loyalty'; move it before 'tiers'"):
        load([tiers, Loyalty()], {})
    with pytest.raises(PluginInvalid, match=r"'tiers' .* requires 'loyalty'; enable it before 'tiers'"):
        load([tiers], {})


@pytest.mark.parametrize("requires", ["loyalty", (3,), None])
def test_requirements_that_are_no_names_are_refused(requires: Any) -> None:
    with pytest.raises(
        PluginInvalid, match=r"requires is .*; it must be a tuple of names such as \('loyalty',\)"
    ):
        load([plugin(crmkit_jobs=[], requires=requires)], {})


# Records


def test_an_instance_of_an_installed_plugin_is_told_with_its_distribution(offer: Any) -> None:
    offer("sms", MODULE.replace("settings: Settings", "settings: Settings = Settings()"), version="2.0")
    module = __import__("fake_crmkit_sms")
    record = hooks_of(module.Plugin()).records[0]
    assert (record.distribution, record.version, record.status) == ("crmkit-sms", "2.0", "enabled")
    assert record.hooks == ("crmkit_channels",)


@pytest.mark.parametrize("entry", ["", "fake_crmkit_sms.inner:Plugin", "fake_crmkit_sms:Plugin [extra]"])
def test_an_instance_owns_under_the_name_that_enables_its_class(offer: Any, entry: str) -> None:
    source = MODULE.replace("settings: Settings", "settings: Settings = Settings()")
    offer("sms", f"{source}\nclass Other(Plugin): pass\nclass Named(Plugin): name = 'fax'\n", entry=entry)
    module = __import__("fake_crmkit_sms")
    loaded = load([module.Plugin(), module.Other(), module.Named()], {})
    assert [one.name for one in loaded] == ["sms", "other", "fax"]


def test_two_crms_may_share_a_plugin() -> None:
    shared = plugin(crmkit_jobs=[Job("sweep", print)])
    one, other = hooks_of(shared), hooks_of(shared)
    assert one.jobs() == other.jobs() != ()


def test_listing_imports_nothing_and_checking_tells_what_fails(offer: Any) -> None:
    offer("good")
    offer("bomb", "raise SystemExit('imported')")
    offer("typo", MODULE.replace("crmkit_channels", "crmkit_chanels"))

    def records(check: bool) -> dict[str, tuple[str, tuple[str, ...], str]]:
        return {one.name: (one.status, one.hooks, one.error) for one in listing(check=check)}

    assert records(check=False)["bomb"] == ("available", (), "")
    checked = records(check=True)
    assert checked["good"] == ("available", ("crmkit_channels",), "")
    assert checked["bomb"][0] == "failed"
    assert "crmkit-bomb 1.0) could not be imported: SystemExit: imported" in checked["bomb"][2]
    assert "there is no hook 'crmkit_chanels'" in checked["typo"][2]


def test_listing_tells_a_name_that_two_distributions_offer(offer: Any) -> None:
    offer("sms")
    offer("sms", distribution="other-sms")
    errors = [one.error for one in listing() if one.name == "sms"]
    assert (
        errors == ["plugin 'sms' is offered by crmkit-sms 1.0 and other-sms 1.0; uninstall all but one"] * 2
    )
