"""An export as a page to read: no scripts, nothing from elsewhere, every value escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;width:100%;margin:0 0 2rem}"
    "th,td{border:1px solid #ccc;padding:.3rem .6rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "th{background:#f3f3f3;font-weight:600}dl{margin:0}dt{color:#666;font-size:.85em}dd{margin:0 0 .3rem}"
    ".scroll{overflow-x:auto}"
)

#: Of no use to whoever asks: what tells rows apart within the database.
_INTERNAL = frozenset({"digest", "lines_event_id", "claim", "ordinal", "rank", "version", "key"})


def page(export: Mapping[str, Any]) -> str:
    """Return an export as one page of HTML.

    Args:
        export: what `tx.privacy.export` returned.
    """
    return "\n".join(_lines(export)) + "\n"


def _lines(export: Mapping[str, Any]) -> Iterator[str]:
    contact = export["contact"]
    title = f"What is recorded of {contact['name'] or contact['id']}"
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield (
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    )
    yield f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>"
    yield f"<p>As of {escape(_instant(export['exported_at']))}.</p>"
    yield "<ul>" + "".join(_item(name, rows) for name, rows in export["tables"].items()) + "</ul>"
    for name, rows in export["tables"].items():
        yield f'<h2 id="{escape(name)}">{escape(_label(name))}</h2>'
        yield from _table(rows)
    yield "</body>\n</html>"


def _item(name: str, rows: Sequence[Any]) -> str:
    return f'<li><a href="#{escape(name)}">{escape(_label(name))}</a> ({len(rows)})</li>'


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    told = [
        name
        for name in rows[0]
        if _is_told(name) and any(row[name] not in (None, "", {}, []) for row in rows)
    ]
    yield (
        '<div class="scroll"><table>\n<tr>'
        + "".join(f"<th>{escape(_label(name))}</th>" for name in told)
        + "</tr>"
    )
    for row in rows:
        yield "<tr>" + "".join(f"<td>{_value(row[name])}</td>" for name in told) + "</tr>"
    yield "</table></div>"


def _is_told(name: str) -> bool:
    return name not in _INTERNAL and name != "id" and not name.endswith("_id")


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        parts = (f"<dt>{escape(_label(str(key)))}</dt><dd>{_value(item)}</dd>" for key, item in value.items())
        return f"<dl>{''.join(parts)}</dl>"
    if isinstance(value, list):
        return "<br>".join(_value(item) for item in value)
    return escape(_instant(str(value)))


def _instant(text: str) -> str:
    """Return an ISO instant in UTC as people read it; other texts as they are."""
    from datetime import datetime

    if len(text) < 20 or text[10:11] != "T" or not text.endswith("+00:00"):
        return text
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return text
