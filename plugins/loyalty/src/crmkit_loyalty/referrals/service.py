"""Referrals(tx): who brought whom, claimed with a code, rewarded on both sides, and never in a circle."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import attrs

from crmkit import FOREVER, ConfigError, Conflict, NotFound, RetryTransaction, Transaction
from crmkit_loyalty.codes import grouped, random_code, typed
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.keyed import key_of, once, refuse_other, stored
from crmkit_loyalty.locks import lock
from crmkit_loyalty.referrals.events import ReferralClaimed, ReferralQualified, ReferralVoided
from crmkit_loyalty.referrals.referral import Referral, ReferralRefused, ReferralState
from crmkit_loyalty.referrals.settings import ReferralSettings
from crmkit_loyalty.referrals.store import ReferralStore
from crmkit_loyalty.triggers import tell

CODE_LENGTH = 8
ATTEMPTS = 20


def referral_settings(tx: Transaction) -> ReferralSettings:
    """Return the settings of referrals.

    Raises:
        ConfigError: if the programme has none.
    """
    found = settings_of(tx, "Referrals").referrals
    if found is None:
        raise ConfigError(
            "Referrals(tx) needs settings={'loyalty': {'referrals': {}}}, or more than the defaults"
        )
    return found


class Referrals:
    """Keeps referrals.

    Args:
        tx: a transaction of a CRM that has the loyalty plugin.

    Raises:
        ConfigError: if it has not, or its settings name no referrals.
    """

    def __init__(self, tx: Transaction) -> None:
        self._settings = referral_settings(tx)
        self._tx = tx
        self._store = ReferralStore(tx)
        self._locked = ReferralStore(tx, locked=True)

    def code(self, contact_id: UUID) -> str:
        """Return the code with which a contact brings others; it is made when it is first asked for.

        Args:
            contact_id: whose.

        Raises:
            NotFound: if there is no such contact.
            AlreadyErased: if the contact was erased.
        """
        contact = self._tx.contacts.get(contact_id)
        for id in contact.ids:
            if code := self._store.code_of(id):
                return grouped(code)
        self._tx.privacy.refuse_erased(contact_id)
        for _ in range(ATTEMPTS):
            code = random_code(CODE_LENGTH)
            if self._store.claim_code(code, contact_id):
                return grouped(code)
            if made := self._locked.code_of(contact_id):
                return grouped(made)
        raise Conflict(f"{ATTEMPTS} referral codes in a row were taken")

    def claim(self, code: str, contact_id: UUID, key: str) -> Referral:
        """Record who brought a contact; a repeated call returns the stored referral.

        Args:
            code: the other contact's, as somebody typed it.
            contact_id: who was brought.
            key: names this claim for ever.

        Raises:
            NotFound: if nobody has the code.
            ReferralRefused: if the contact would have brought itself, directly or in a circle, was brought already,
                or is not new.
            KeyConflict: if the key stands for another claim.
        """
        referrer_id = self._store.holder(typed(code, CODE_LENGTH))
        if referrer_id is None:
            raise NotFound("nobody has this referral code")
        with self._tx.sql.isolated():
            same = {"contact_id": contact_id, "referrer_id": referrer_id}
            if found := stored(self._tx, self._store.referrals, key_of(key), same):
                return Referral(**found)
            self._lock_roots(contact_id, referrer_id)
            if mine := self._claimed(contact_id, key):
                refuse_other(self._tx, key, attrs.asdict(mine), same)
                return mine
            self._refuse(contact_id, referrer_id)
            referral = self._new(contact_id, referrer_id, key)
            row, is_new = once(self._tx, self._store.referrals, attrs.asdict(referral), tuple(same))
            if is_new:
                event = ReferralClaimed(referral_id=referral.id, referrer_id=referrer_id)
                self._tx.events.append(event, contact_id=contact_id, subject_id=referral.id)
            return Referral(**row)

    def of(self, contact_id: UUID) -> Referral | None:
        """Return by whom a contact was brought, or None."""
        return next(iter(self._store.of_friend(self._tx.contacts.ids(contact_id))), None)

    def by(self, contact_id: UUID) -> list[Referral]:
        """Return whom a contact brought, the oldest first."""
        return self._store.by(self._tx.contacts.ids(contact_id))

    def hold(self, referral: Referral, order_key: str, paid_at: datetime) -> Referral:
        """Let an order count, and see to it at once if nothing is to be waited for."""
        until = paid_at + timedelta(days=self._settings.hold_days)
        held = self._store.change(referral, state=ReferralState.HELD, order_key=order_key, hold_until=until)
        return self.resolve(held.id)

    def drop(self, referral: Referral) -> Referral:
        """Let an order count no more that was given back before its hold ended; another one may."""
        dropped = self._store.change(referral, state=ReferralState.CLAIMED, order_key="", hold_until=FOREVER)
        self._void(referral, f"order {referral.order_key} was given back")
        return dropped

    def resolve(self, referral_id: UUID, at: datetime | None = None) -> Referral:
        """Reward both sides of a referral whose hold has ended, once; of others nothing changes.

        Args:
            referral_id: which.
            at: the instant that it is asked for; now by default.
        """
        with self._tx.sql.isolated():
            self.lock(self._store.get(referral_id).contact_id)
            referral = self._locked.get(referral_id)
            if referral.state is not ReferralState.HELD or (at or self._tx.now) < referral.hold_until:
                return referral
            if reason := self._faults(referral):
                self._void(referral, reason)
                return self._store.change(referral, state=ReferralState.VOID)
            qualified = self._store.change(referral, state=ReferralState.QUALIFIED)
            self._reward(referral)
        return qualified

    def lock(self, contact_id: UUID) -> None:
        """Lock by whom a contact was brought."""
        lock(self._tx, *(f"referred:{id}" for id in self._tx.contacts.ids(contact_id)))

    def _claimed(self, contact_id: UUID, key: str) -> Referral | None:
        """The referral that stands under a key already, though the transaction's snapshot may not show it."""
        brought = self._locked.of_friend(self._tx.contacts.ids(contact_id))
        return next((one for one in brought if one.key == key), None)

    def _new(self, contact_id: UUID, referrer_id: UUID, key: str) -> Referral:
        return Referral(
            id=self._tx.new_id(),
            key=key,
            contact_id=contact_id,
            referrer_id=referrer_id,
            claimed_at=self._tx.now,
            until_at=self._tx.now + timedelta(days=self._settings.window_days),
        )

    def _lock_roots(self, contact_id: UUID, referrer_id: UUID) -> None:
        """Lock the contact and whoever stands at the top of the referrer's chain: a circle would join the two."""
        root = self._chain(referrer_id)[-1]
        lock(self._tx, *(f"referred:{id}" for id in {*self._tx.contacts.ids(contact_id), root}))
        if self._chain(referrer_id)[-1] != root:
            raise RetryTransaction(f"somebody said at the same time who had brought contact {root}")

    def _refuse(self, contact_id: UUID, referrer_id: UUID) -> None:
        contact, referrer = self._tx.contacts.get(contact_id), self._tx.contacts.get(referrer_id)
        self._tx.privacy.refuse_erased(contact_id)
        self._tx.privacy.refuse_erased(referrer_id)
        if set(contact.ids) & set(referrer.ids):
            raise ReferralRefused(contact_id, "nobody brings itself")
        if set(contact.points) & set(referrer.points):
            raise ReferralRefused(contact_id, f"it shares a contact point with contact {referrer_id}")
        if self._locked.of_friend(contact.ids):
            raise ReferralRefused(contact_id, "somebody has brought it already")
        if set(contact.ids) & set(self._chain(referrer_id)):
            raise ReferralRefused(contact_id, f"contact {referrer_id} was brought by it, itself or by others")
        if self._settings.new_only and self._store.has_paid(contact.ids):
            raise ReferralRefused(contact_id, "it has paid for an order before")

    def _faults(self, referral: Referral) -> str:
        """Return why a referral is not rewarded though its order was kept: what merges have brought to light."""
        friend, referrer = (self._tx.contacts.ids(id) for id in (referral.contact_id, referral.referrer_id))
        if set(friend) & set(referrer):
            return "both are one person"
        if set(friend) & set(self._chain(referral.referrer_id)):
            return "it closes a circle"
        others = [one for one in self._locked.of_friend(friend) if one.id != referral.id]
        if any(one.state is ReferralState.QUALIFIED for one in others):
            return "the friend was rewarded for already"
        return ""

    def _chain(self, contact_id: UUID) -> list[UUID]:
        """Return a contact, whoever brought it, whoever brought that one, and so on, by all their ids."""
        chain: list[UUID] = []
        while not set(ids := self._tx.contacts.ids(contact_id)) & set(chain):
            chain += [*ids[1:], ids[0]]
            above = self._locked.of_friend(ids)
            if not above:
                break
            contact_id = above[0].referrer_id
        return chain

    def _reward(self, referral: Referral) -> None:
        event = ReferralQualified(
            referral_id=referral.id, referrer_id=referral.referrer_id, order_key=referral.order_key
        )
        self._tx.events.append(event, contact_id=referral.contact_id, subject_id=referral.id)
        for side, id in (("referrer", referral.referrer_id), ("friend", referral.contact_id)):
            payload = {"side": side, "order_key": referral.order_key}
            tell(self._tx, "referral.qualified", id, key=f"{side}:{referral.id}", payload=payload)

    def _void(self, referral: Referral, because: str) -> None:
        event = ReferralVoided(
            referral_id=referral.id, referrer_id=referral.referrer_id, because=because[:100]
        )
        self._tx.events.append(event, contact_id=referral.contact_id, subject_id=referral.id)
