"""What an SMTP server's answer means for a delivery."""

from __future__ import annotations

import re

import attrs

from crmkit import Accepted, AuthLost, Deferred, Outcome, Rejected, Scope, Unknown

# the account, not the mail, is at fault (RFC 4954, section 6)
_AUTH = frozenset({530, 534, 535, 538})
# nobody is at that address: no mailbox, no host, bad syntax, moved away, takes no mail (RFC 3463, 7505)
_NOBODY = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
_NOBODY_BASIC = frozenset({550, 551, 553})
_ENHANCED = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
_QUEUE_IDS = (
    re.compile(r"queued as ([^\s;,]+)", re.IGNORECASE),
    re.compile(r"\bid=([^\s;,]+)"),
    re.compile(r"^(?:2\.\d+\.\d+ )?(\S+) message accepted", re.IGNORECASE),
    re.compile(r"^(?:2\.\d+\.\d+ )?ok (\S+)$", re.IGNORECASE),
)


@attrs.frozen
class Reply:
    """A server's answer.

    Args:
        code: the three digits; -1 if it sent none.
        said: what followed them.
    """

    code: int
    said: bytes

    @property
    def text(self) -> str:
        """What it said, on one line of at most 300 characters."""
        return " ".join(self.said.decode("utf-8", "replace").split())[:300]

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 3463) such as "5.1.1", or empty."""
        found = _ENHANCED.match(self.text)
        return found[0] if found else ""

    @property
    def queue_id(self) -> str:
        """The id under which the server has queued the mail, if it told one."""
        found = next(filter(None, (pattern.search(self.text) for pattern in _QUEUE_IDS)), None)
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


def refused(step: str, reply: Reply) -> Outcome:
    """Return what a refusal means that came before the mail's content was sent.

    Args:
        step: the command that was refused: "MAIL", "RCPT" or "DATA".
        reply: the server's answer.
    """
    sender_refused = step == "MAIL" and 500 <= reply.code <= 599 and not _too_large(reply)
    if reply.code in _AUTH or sender_refused:
        return AuthLost(f"{step}: {reply}")  # no mail would go: the queue waits until somebody mends it
    if 500 <= reply.code <= 599:
        return Rejected(f"{step}: {reply}", _code(reply, recipient=step == "RCPT"))
    # before the recipient is known, or when the server leaves, it cannot be about the recipient
    scope = Scope.ACCOUNT if step == "MAIL" or reply.code == 421 else Scope.ADDRESS
    return Deferred(scope=scope, reason=f"{step}: {reply}")


def answered(reply: Reply) -> Outcome:
    """Return what the answer to the mail's content means."""
    if 200 <= reply.code <= 299:
        return Accepted(reply.queue_id)
    if 400 <= reply.code <= 599:
        return refused("content", reply)
    return Unknown(f"the server's answer to the content makes no sense: {reply}")


def _too_large(reply: Reply) -> bool:
    return reply.enhanced == "5.3.4" or (not reply.enhanced and reply.code == 552)


def _code(reply: Reply, *, recipient: bool) -> str:
    # a refusal by policy (5.7.x) is not the person's fault and must not retire the address
    if reply.enhanced in _NOBODY or (recipient and not reply.enhanced and reply.code in _NOBODY_BASIC):
        return "bad_address"
    return reply.enhanced or str(reply.code)
