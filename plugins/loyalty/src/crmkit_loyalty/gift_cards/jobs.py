"""Posts what has lapsed of gift cards."""

from __future__ import annotations

from crmkit import CRM, Transaction
from crmkit_loyalty.gift_cards.service import GiftCards
from crmkit_loyalty.gift_cards.store import CardStore

PAGE = 200


def expire_gift_cards(crm: CRM) -> int:
    """Post what has lapsed, page by page; return of how many cards. Doing it again changes nothing."""
    count, page = 0, PAGE
    while page == PAGE:
        page = crm.transact(_page)
        count += page
    return count


def _page(tx: Transaction) -> int:
    cards = GiftCards(tx)
    found = CardStore(tx).lapsed(tx.now, PAGE)
    for id in sorted(found):
        cards.expire(id)
    return len(found)
