"""Message templates: plain values filled in, nothing that runs away."""

from __future__ import annotations

from typing import Any

import pytest

from crmkit import Template, ValueRefused
from crmkit.templates import render


def made(text: str, **parts: str) -> Template:
    return Template(name="thanks", text=text, **parts)


def test_places_are_filled_and_html_is_escaped() -> None:
    template = made(
        "Dear {{ name }},{% for line in order.lines %} {{ line.name }}{% endfor %}",
        subject="{{ name }}:\n thanks",
        html="<p>{{ name }}</p>",
    )
    data = {"name": "ნინო <b>", "order": {"lines": [{"name": "mug"}, {"name": "cup"}]}}
    rendered = render(template, data)
    assert rendered.text == "Dear ნინო <b>, mug cup"
    assert rendered.subject == "ნინო <b>: thanks"
    assert rendered.html == "<p>ნინო &lt;b&gt;</p>"


@pytest.mark.parametrize(
    "source",
    [
        "{{ user.delete() }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 9 ** 999999 }}",
        "{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'other' %}",
        "{% set x = 1 %}",
        "{{ ''.__class__ }}{{ ''.join(x) }}",
        "{{ x | attr('__class__') }}",
        "{{ x | center(1000000000) }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ x is callable }}",
        "{{ x",
        "{{ " + "(" * 500 + "x" + ")" * 500 + " }}",
    ],
)
def test_what_could_run_away_is_refused_when_the_template_is_made(source: str) -> None:
    with pytest.raises(ValueRefused, match="template 'thanks', text"):
        made(source)


def test_a_missing_value_is_named() -> None:
    with pytest.raises(ValueRefused, match=r"'nmae' is undefined.*the data has name"):
        render(made("{{ nmae }}"), {"name": "Ann"})


@pytest.mark.parametrize("value", [1.5, object(), {"x": object()}, [print]])
def test_only_plain_data_is_filled_in(value: Any) -> None:
    with pytest.raises(ValueRefused, match="use text, whole numbers"):
        render(made("{{ x }}"), {"x": value})


def test_what_grows_too_large_is_refused() -> None:
    template = made("{% for a in x %}{{ text }}{% endfor %}")
    with pytest.raises(ValueRefused, match="more than"):
        render(template, {"x": list(range(1000)), "text": "x" * 10_000})


def test_no_value_reaches_pythons_own_attributes() -> None:
    with pytest.raises(ValueRefused):
        render(made("{{ x.__class__.__mro__ }}"), {"x": "text"})
