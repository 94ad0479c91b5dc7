"""How consent to a purpose stands, in SQL: what `crmkit.consent.consent_to` decides of each contact, set-wise."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, null, or_, select
from sqlalchemy import types as sqltypes

from crmkit.consent import ConsentState, RefusalReason
from crmkit.sql.types import Instant
from crmkit.sql.where.rows import CONTACT, Ground, counted, owned


def consent(ground: Ground, purpose: str) -> Select[Any]:
    """Return how consent stands as v0, by contact; with `ground.of` of that one alone.

    Args:
        ground: what the statement stands on.
        purpose: to what.
    """
    c = _last_words(ground, purpose).c
    # an import counts after a refusal only where the contact itself has thought again in between
    is_given = and_(c.given.is_not(None), or_(c.refused.is_(None), c.renewed > c.refused))
    last = case((is_given, c.given), else_=c.refused)
    is_asked = or_(c.asked > last, and_(c.asked.is_not(None), last.is_(None)))
    how = case(
        (and_(is_given, c.given_until > c.now), _word(ConsentState.GRANTED)),
        (and_(is_asked, c.asked_until > c.now), _word(RefusalReason.PENDING)),
        (is_given, _word(RefusalReason.EXPIRED)),
        (c.refused.is_not(None), _word(RefusalReason.WITHDRAWN)),
        else_=null(),
    )
    return select(*_contact(ground, c), how.label("v0"))


def _last_words(ground: Ground, purpose: str) -> Any:
    """Return when each thing was said last, and until when it holds.

    Of a grant and a refusal of the same instant the refusal counts, of a request and a grant the grant: so there is
    nothing between the last words of two kinds but an instant.
    """
    c = _words(ground, purpose).c

    def last(value: ColumnElement[Any], state: ConsentState, *conditions: ColumnElement[bool]) -> Any:
        return func.max(case((and_(c.state == state, *conditions), value)), type_=Instant())

    words = {
        "refused": last(c.said_at, ConsentState.WITHDRAWN),
        "given": last(c.said_at, ConsentState.GRANTED),
        "renewed": last(c.said_at, ConsentState.GRANTED, c.is_import == 0),
        "given_until": last(c.until, ConsentState.GRANTED, c.place == 1),
        "asked": last(c.said_at, ConsentState.PENDING),
        "asked_until": last(c.until, ConsentState.PENDING, c.place == 1),
        "now": func.max(c.now, type_=Instant()),
    }
    found = select(*_contact(ground, c), *(word.label(name) for name, word in words.items()))
    return found.group_by(*_contact(ground, c)).subquery()


def _words(ground: Ground, purpose: str) -> Any:
    """Return the entries that say something of a purpose by now; of each state the last has the place 1."""
    c = _entries(ground).c
    place = func.row_number().over(partition_by=[*_contact(ground, c), c.state], order_by=_latest_first(c))
    found = select(*c, place.label("place"))
    return found.where(c.purpose.in_(("", purpose)), c.at <= c.now).subquery()


def _entries(ground: Ground) -> Any:
    """Return the log, each entry with the present of its contact: never before what is known was written down."""
    table, whose = ground.table("consents"), owned(ground, "consents")
    c = table.c
    known = func.max(c.recorded_at).over(partition_by=None if ground.of is not None else whose.contact)
    entry = {
        "said_at": _said_at(c),
        "is_import": case((_is_import(c.source), 1), else_=0),
        "now": _present(known, literal(ground.now, Instant())),
    }
    kept = (c.id, c.purpose, c.state, c.at, c.until, c.recorded_at)
    own = [whose.contact.label(CONTACT)] if ground.of is None else []
    found = select(*own, *kept, *(value.label(name) for name, value in entry.items()))
    found = found.select_from(whose.rows).where(*counted(ground, table, whose, ()))
    return (found if ground.of is None else found.correlate_except(table)).subquery()


def _contact(ground: Ground, columns: Any) -> list[Any]:
    return [columns[CONTACT]] if ground.of is None else []


def _said_at(c: Any) -> ColumnElement[Any]:
    dated_ahead = and_(c.state == ConsentState.GRANTED, c.at > c.recorded_at)
    return case((dated_ahead, c.recorded_at), else_=c.at)


def _present(known: ColumnElement[Any], now: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((known > now, known), else_=now)


def _latest_first(c: Any) -> list[ColumnElement[Any]]:
    return [c.said_at.desc(), c.at.desc(), c.recorded_at.desc(), c.id.desc()]


def _is_import(source: ColumnElement[Any]) -> ColumnElement[bool]:
    # letter by letter: what is small and great is a database's own idea
    letters = enumerate("import", 1)
    return and_(*(func.substr(source, place, 1).in_((letter, letter.upper())) for place, letter in letters))


def _word(word: ConsentState | RefusalReason) -> ColumnElement[Any]:
    return literal(word.value, sqltypes.String())
