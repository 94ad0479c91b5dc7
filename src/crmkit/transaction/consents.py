"""tx.consents: the log of consents, asking for them by double opt-in, and unsubscribing by a link."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import attrs

from crmkit.consent import ConsentEntry, ConsentState, SuppressionReason, known_channel, known_purpose
from crmkit.contacts import Contact, ContactPoint
from crmkit.contacts.keys import point_digest
from crmkit.errors import AlreadyErased, NotFound, SettingsError, TokenRefused, ValueRefused
from crmkit.messages import DeliveryStatus, Message
from crmkit.purposes import SERVICE, Basis, Purpose
from crmkit.sql import consents as rows
from crmkit.sql.suppressions import suppressions_of
from crmkit.text import clean
from crmkit.tokens import Token, TokenAct, read_token, write_token
from crmkit.transaction.addressees import addressee
from crmkit.transaction.consent_answers import channel_address, channels_of
from crmkit.transaction.consent_log import EVERYTHING, ConsentLog
from crmkit.transaction.details.subject import open_to

#: How long a request can be confirmed.
VALID = timedelta(days=7)
#: The template of a request, if a host or a plugin has one of that name; it is given `url` and `purpose`.
TEMPLATE = "confirm-consent"

_SUBJECT = "Please confirm"
_TEXT = """Somebody, we hope you, asked us to send this to your address: {purpose}.

If that is right, open this page and confirm:
{url}

If it was not you, do nothing; without an answer you will not hear from us about it.
"""


@attrs.frozen(kw_only=True)
class ConsentRequest:
    """What came of asking for a consent.

    Args:
        entry: the pending entry, or the grant that there is already; None if the address was asked too often.
        delivery: the message that asks, or None if none is sent.
        token: what confirms it, or empty.
        refused: why nothing is sent, or empty.
    """

    entry: ConsentEntry | None
    delivery: DeliveryStatus | None = None
    token: str = attrs.field(default="", repr=False)
    refused: str = ""


@attrs.frozen(kw_only=True)
class Unsubscribed:
    """What somebody unsubscribed from by a link.

    Args:
        purpose: from which purpose; empty for everything.
        channel: over which channel; empty for all.
        contact_id: the contact that the link names, or whose the address is by now; None if there is none.
    """

    purpose: str
    channel: str
    contact_id: UUID | None


class Consents(ConsentLog):
    """Records, asks for and answers from what contacts allow."""

    def request(
        self,
        contact_id: UUID,
        purpose: str,
        channel: str = "email",
        *,
        source: str,
        text_version: str = "",
        to: ContactPoint | None = None,
        template: str = TEMPLATE,
        valid: timedelta = VALID,
    ) -> ConsentRequest:
        """Ask a contact to confirm a consent by a link: double opt-in.

        The link is `confirm_url` of the settings. Whoever knows an address could have it flooded by asking again
        and again; so one address is asked at most `consent_requests` times in a day, whoever asks and for what.

        Args:
            contact_id: whom.
            purpose: to what.
            channel: over which channel; the request goes over it too.
            source: where it comes from, such as "footer form".
            text_version: which wording the contact saw.
            to: which of the contact's points; by default the one that the channel writes to.
            template: of the message; by default "confirm-consent", and if there is none a few plain words.
            valid: how long it can be confirmed.

        Raises:
            NotFound: if there is no such contact, or no template of a name that you gave.
            SettingsError: if the settings have no `confirm_url`.
            ValueRefused: if the purpose needs no consent, or the contact has no such address.
        """
        open_to(self._tx, contact_id)
        contact, wanted = self._tx.contacts.get(contact_id), self._purpose(purpose)
        self._check_request(wanted, valid)
        point = self._own_point(contact, channel, to)
        digest = point_digest(self._secret, point)
        if self.state(contact_id, purpose, channel) is ConsentState.GRANTED and not self._left(digest):
            entry = [e for e in self.history(contact_id) if e.state is ConsentState.GRANTED][-1]
            return ConsentRequest(entry=entry, refused="consent is given already")
        entry = self._entry(contact_id, wanted, channel, ConsentState.PENDING, source, None)
        entry = attrs.evolve(
            entry, text_version=clean(text_version, "text version", limit=60), until=entry.at + valid
        )
        with self._tx.sql.isolated():
            if not self._claim_request(entry, digest):
                often = self._tx.crm.settings.consent_requests
                return ConsentRequest(
                    entry=None, refused=f"the address was asked {often} times today, which is the limit"
                )
            token = self._token(TokenAct.CONFIRM, entry, digest)
            delivery = self._ask(contact, entry, point, token, template)
            self._tell_asked(entry)
        return ConsentRequest(entry=entry, delivery=delivery, token=token)

    def _check_request(self, purpose: Purpose, valid: timedelta) -> None:
        if not purpose.needs_consent:
            raise ValueRefused(
                f"purpose {purpose.name!r} rests on {purpose.basis}; there is nothing to consent to"
            )
        if not self._tx.crm.settings.confirm_url:
            raise SettingsError(
                "settings['core']['confirm_url'] is empty; give the page that confirms, "
                "like https://shop.example/confirm?t={token}"
            )
        if valid <= timedelta(0):
            raise ValueRefused(f"valid is {valid!r}; must be a positive timedelta")

    def confirm(self, token: str) -> ConsentEntry:
        """Record the consent that was asked for; the same token again returns the stored entry.

        Call it when the page is posted, not when it is opened: programs that look for malware open links.

        Args:
            token: of the link, as it came.

        Raises:
            TokenRefused: if it is no token for that or not valid any more, if the contact or its address is gone, or
                has refused since.
        """
        said = self._read(token, TokenAct.CONFIRM)
        found = rows.consent_with_digest(self._tx.sql, said.nonce)
        if found is None or said.contact_id is None:
            raise TokenRefused("this request is not known here any more")
        asked, key = found[0], f"confirm:{said.nonce}"
        if rows.has_key(self._tx.sql, key):
            return rows.claimed_consent(self._tx.sql, key)
        point = self._confirmable(asked, said)
        entry = attrs.evolve(
            self._entry(said.contact_id, self._purpose(said.purpose), said.channel, ConsentState.GRANTED,
                        "double opt-in", None),
            text_version=asked.text_version,
            personally=True,
        )  # fmt: skip
        with self._tx.sql.isolated():
            if not rows.claim_consent(self._tx.sql, entry, key):
                return rows.claimed_consent(self._tx.sql, key)
            if self._tx.crm.store.capabilities.writable:
                self._tx.contacts.points.verify(said.contact_id, point)
            self._tell_granted(entry)
        return entry

    def unsubscribe_token(
        self, purpose: str, channel: str = "", *, to: ContactPoint, contact_id: UUID | None = None
    ) -> str:
        """Return a token by which whoever holds it unsubscribes an address; it is valid for ever.

        Args:
            purpose: from what; empty for everything.
            channel: over which channel; empty for all.
            to: the address.
            contact_id: the contact; by default whose the address is, if it is anybody's.

        Raises:
            ValueRefused: if the purpose or the channel is unknown, or the purpose cannot be refused.
        """
        owner = self._tx.contacts.find(to) if contact_id is None else None
        if purpose and not self._purpose(purpose).is_optional:
            raise ValueRefused(f"nobody can unsubscribe from {purpose!r}, it needs no consent")
        said = Token(
            act=TokenAct.UNSUBSCRIBE,
            purpose=purpose,
            channel=known_channel(channels_of(self._tx.crm), channel),
            digest=point_digest(self._secret, to),
            nonce=self._tx.new_id(),
            contact_id=contact_id if owner is None else owner.id,
        )
        return write_token(self._secret, said)

    def unsubscribe(self, token: str, *, everything: bool = False) -> Unsubscribed:
        """Unsubscribe by the token of a link: the address is suppressed, and the contact's refusal recorded.

        The same token works again and again, also once the contact is deleted. Call it when the page is posted
        (RFC 8058: a mail program posts `List-Unsubscribe=One-Click`), not when it is opened.

        Args:
            token: of the link, as it came.
            everything: whether from all that can be refused, and not only from what the token names.

        Raises:
            TokenRefused: if it is no token for that.
        """
        said = self._read(token, TokenAct.UNSUBSCRIBE)
        purpose = "" if everything else said.purpose
        channel = "" if everything else said.channel
        contact_id = addressee(self._tx, said)
        with self._tx.sql.isolated():
            self._tx.suppressions.add_digest(
                said.digest,
                SuppressionReason.UNSUBSCRIBE,
                purpose=purpose,
                source="unsubscribe link",
                contact_id=contact_id,
            )
            if contact_id is not None:
                # by whatever ground the purpose went when the link was sent
                refused = Purpose(purpose, Basis.CONSENT) if purpose else EVERYTHING
                self._withdraw(contact_id, refused, channel, "unsubscribe link", None)
        return Unsubscribed(purpose=purpose, channel=channel, contact_id=contact_id)

    def read_token(self, token: str) -> Token:
        """Return what a token says, and do nothing: for the page that asks before it acts.

        Raises:
            TokenRefused: if it is none of this installation, or not valid any more.
        """
        return read_token(self._secret, token, self._tx.now)

    def _read(self, token: str, act: TokenAct) -> Token:
        said = self.read_token(token)
        if said.act is not act:
            raise TokenRefused(f"this token is to {said.act}, not to {act}")
        return said

    def _token(self, act: TokenAct, entry: ConsentEntry, digest: str) -> str:
        said = Token(
            act=act,
            purpose=entry.purpose,
            channel=entry.channel,
            digest=digest,
            nonce=entry.id,
            contact_id=entry.contact_id,
            until=entry.until,
        )
        return write_token(self._secret, said)

    def _own_point(self, contact: Contact, channel: str, to: ContactPoint | None) -> ContactPoint:
        kind, scope = channel_address(self._tx, channel)
        point = to if to is not None else contact.point(kind, scope) if kind else None
        own = next((one for one in contact.points if one == point), None)
        if own is None or own.kind is not kind:
            raise ValueRefused(f"the contact has no such address that channel {channel!r} writes to")
        return own

    def _claim_request(self, entry: ConsentEntry, digest: str) -> bool:
        """Take one of the places that an address has in a day; their keys are what holds however many ask at once."""
        places = range(1, self._tx.crm.settings.consent_requests + 1)
        keys = (f"request:{digest}:{entry.at:%Y-%m-%d}:{place}" for place in places)
        return any(rows.claim_consent(self._tx.sql, entry, key, digest) for key in keys)

    def _ask(
        self, contact: Contact, entry: ConsentEntry, point: ContactPoint, token: str, template: str
    ) -> DeliveryStatus:
        url = self._tx.crm.settings.confirm_url.replace("{token}", token)
        message = Message(
            topic="consent-request",
            purpose=SERVICE,
            expires_at=entry.until,
            **self._words(template, contact.locale, url, entry.purpose),
        )
        return self._tx.messages.queue(
            message,
            channel=entry.channel,
            key=f"consent-request:{entry.id}",
            contact_id=entry.contact_id,
            to=point,
        )

    def _words(self, template: str, locale: str, url: str, purpose: str) -> dict[str, Any]:
        data = {"url": url, "purpose": purpose}
        try:
            self._tx.crm.registry.template(template, locale)
        except NotFound:
            if template != TEMPLATE:
                raise
            return {"subject": _SUBJECT, "text": _TEXT.format(**data)}
        return {"template": template, "data": data}

    def _confirmable(self, asked: ConsentEntry, said: Token) -> ContactPoint:
        assert said.contact_id is not None
        try:
            open_to(self._tx, said.contact_id)
        except (NotFound, AlreadyErased):
            raise TokenRefused("this request is not known here any more") from None
        contact = self._tx.contacts.get(said.contact_id)
        known_purpose(self._tx.crm.settings.purposes, said.purpose)
        point = next((one for one in contact.points if point_digest(self._secret, one) == said.digest), None)
        if point is None:
            raise TokenRefused("the address of this request is no longer the contact's; ask again")
        if self._refused_since(asked.at, said):
            raise TokenRefused("it was refused after this request; ask again")
        return point

    def _refused_since(self, asked_at: datetime, said: Token) -> bool:
        assert said.contact_id is not None
        refusals = [
            one
            for one in self.history(said.contact_id)
            if one.state is ConsentState.WITHDRAWN and one.concerns(said.purpose, said.channel)
        ]
        left = self._left(said.digest)
        return any(one.at >= asked_at for one in refusals) or (left is not None and left >= asked_at)

    def _left(self, digest: str) -> datetime | None:
        """Return when an address unsubscribed last, from whatever; None if it did not."""
        found = suppressions_of(self._tx.sql, [digest], lifted=False)
        left = [one.again_at for one in found if one.reason is SuppressionReason.UNSUBSCRIBE]
        return max(left, default=None)
