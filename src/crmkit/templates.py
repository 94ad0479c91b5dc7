"""Message templates: Jinja2 in a sandbox, and of its language only what cannot run away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from crmkit.errors import ValueRefused
from crmkit.text import clean

#: The greatest rendered size in characters.
RENDER_LIMIT = 1_000_000

_NODES = frozenset(
    "Template Output TemplateData Name Const Getattr Getitem Filter If For Compare Operand And Or Not Test "
    "CondExpr Concat Tuple List".split()
)
_FILTERS = frozenset("e escape default d length lower upper title trim capitalize first last".split())
_TESTS = frozenset("defined undefined none equalto eq ne lt gt ge le in".split())


def _template_name(value: str) -> str:
    return clean(value, "template name", limit=100, empty=False)


@attrs.frozen(kw_only=True)
class Template:
    """The texts of a message with places to fill in.

    Places read plain data (`{{ order.total }}`), and there are `if`, `for` and a few filters; calls,
    arithmetic and macros are refused, so rendering always ends.

    Args:
        name: unique within one locale.
        locale: BCP 47 tag; the template with an empty one serves every locale that has none of its own.
        subject: one line.
        text: the plain text.
        html: the same as HTML, where what is filled in is escaped; may be empty.
    """

    name: str = attrs.field(converter=_template_name)
    locale: str = ""
    subject: str = ""
    text: str
    html: str = ""

    def __attrs_post_init__(self) -> None:
        for part in ("subject", "text", "html"):
            _check(f"template {self.name!r}, {part}", getattr(self, part))


@attrs.frozen
class Rendered:
    """The texts of a message, ready to send."""

    subject: str
    text: str
    html: str


def render(template: Template, data: Mapping[str, Any]) -> Rendered:
    """Return the template's texts with the data filled in.

    Args:
        template: what to fill in.
        data: plain values by name.

    Raises:
        ValueRefused: if the data lacks a name that is filled in, or the result is too large.
    """
    plain = _plain(data)
    subject = _fill(template, "subject", plain, escape=False)
    return Rendered(
        subject=" ".join(subject.split()),
        text=_fill(template, "text", plain, escape=False),
        html=_fill(template, "html", plain, escape=True),
    )


def _environment(escape: bool) -> Any:
    from jinja2 import StrictUndefined  # imported when first used
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        autoescape=escape, undefined=StrictUndefined, keep_trailing_newline=True
    )


def _check(what: str, source: str) -> None:
    if "{" not in source:
        return
    from jinja2 import TemplateSyntaxError

    clean(source, what, limit=RENDER_LIMIT, multiline=True)
    try:
        tree = _environment(False).parse(source)
    except (TemplateSyntaxError, RecursionError, ValueError) as error:
        raise ValueRefused(f"{what}: {error}") from None
    for node, depth in _walk(tree, 0):
        name = type(node).__name__
        if name not in _NODES or depth > 20:
            raise ValueRefused(
                f"{what}: {name} is not allowed at line {node.lineno}; fill in plain values only"
            )
        if name == "Filter" and node.name not in _FILTERS:
            raise ValueRefused(f"{what}: filter {node.name!r} is not one of {', '.join(sorted(_FILTERS))}")
        if name == "Test" and node.name not in _TESTS:
            raise ValueRefused(f"{what}: test {node.name!r} is not one of {', '.join(sorted(_TESTS))}")
        if name == "For" and any(type(inner).__name__ == "For" for inner, _ in list(_walk(node, 0))[1:]):
            raise ValueRefused(f"{what}: a loop within a loop is not allowed at line {node.lineno}")


def _walk(node: Any, depth: int) -> Any:
    yield node, depth
    for child in node.iter_child_nodes():
        yield from _walk(child, depth + 1)


def _fill(template: Template, part: str, data: dict[str, Any], *, escape: bool) -> str:
    source: str = getattr(template, part)
    if "{" not in source:
        return source
    from jinja2 import TemplateError

    what = f"template {template.name!r}, {part}"
    try:
        pieces = _compiled(source, escape).generate(data)
        size, result = 0, []
        for piece in pieces:
            size += len(piece)
            if size > RENDER_LIMIT:
                raise ValueRefused(f"{what} renders to more than {RENDER_LIMIT} characters")
            result.append(piece)
    except (TemplateError, TypeError) as error:
        raise ValueRefused(f"{what}: {error}; the data has {', '.join(sorted(data)) or 'nothing'}") from None
    return "".join(result)


_CACHE: dict[tuple[str, bool], Any] = {}


def _compiled(source: str, escape: bool) -> Any:
    found = _CACHE.get((source, escape))
    if found is None:
        if len(_CACHE) > 1000:
            _CACHE.clear()
        found = _CACHE[source, escape] = _environment(escape).from_string(source)
    return found


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    raise ValueRefused(f"template data holds {value!r}; use text, whole numbers, lists and mappings")
