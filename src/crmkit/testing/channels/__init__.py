"""ChannelSuite: what every channel promises, as tests that an author gets by subclassing."""

from __future__ import annotations

from crmkit.testing.channels.claimed import ClaimedLaws
from crmkit.testing.channels.faults import FaultLaws
from crmkit.testing.channels.sending import SendingLaws
from crmkit.testing.channels.shape import ShapeLaws
from crmkit.testing.channels.stage import BAD_EMAILS
from crmkit.testing.channels.worker import WorkerLaws

__all__ = ["BAD_EMAILS", "ChannelSuite"]


class ChannelSuite(SendingLaws, FaultLaws, WorkerLaws, ShapeLaws, ClaimedLaws):
    """Tests a channel against the laws of `docs/reference/channel-suite.md`.

    Subclass it, write `make_channel` and `received`, then as many of the faults (`refuse`, `throttle`, `drop_before`,
    `drop_after`, `expire_login`) as the provider's stand-in can act out: each one claims a law. A law that is not
    claimed is not collected, and is listed at the end of the run.
    """

    __test__ = False
