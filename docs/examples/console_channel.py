"""A channel that appends each message to a file as one line of JSON: about the least that a channel can be."""

import json
from pathlib import Path

import attrs

from crmkit import Accepted, ChannelSpec, Delivery, Outcome, PointKind, SendContext, hookimpl


@attrs.define(eq=False)
class ConsoleChannel:
    """Writes to `path`, which may be a terminal (/dev/tty); also the plugin that brings the channel."""

    path: Path
    spec = ChannelSpec(name="console", address_kind=PointKind.EMAIL)

    def send(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        line = json.dumps({"to": delivery.address, "subject": delivery.subject, "text": delivery.text})
        ctx.handoff()
        with self.path.open("a") as file:
            file.write(f"{line}\n")
        return Accepted(str(delivery.id))

    @hookimpl
    def crmkit_channels(self):
        return [self]
