"""The names of purposes and channels, as somebody gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crmkit.errors import ValueRefused
from crmkit.purposes import Purpose
from crmkit.settings import did_you_mean
from crmkit.text import clean

CHANNEL_LIMIT = 30
#: Over what contacts are written to and called everywhere, whether a plugin brings a channel of that name or not.
MEDIA = ("email", "letter", "phone", "sms")


def known_purpose(purposes: Mapping[str, Purpose], name: str) -> Purpose:
    """Return a purpose of the settings by its name.

    Raises:
        ValueRefused: if there is none of that name; the message says which there are.
    """
    found = purposes.get(name)
    if found is None:
        raise ValueRefused(
            f"no purpose is named {name!r}{did_you_mean(str(name), list(purposes))}; "
            "add it to settings['core']['purposes']"
        )
    return found


def known_channel(channels: Iterable[str], name: str) -> str:
    """Return a channel's name, empty for all of them; what is refused over one that nobody knows would go on.

    Args:
        channels: what is known besides the media that everybody has.
        name: as somebody gave it.

    Raises:
        ValueRefused: if there is none of that name; the message says which there are.
    """
    found, known = clean(name, "channel", limit=CHANNEL_LIMIT), sorted({*MEDIA, *channels})
    if found and found not in known:
        raise ValueRefused(
            f"no channel is named {found!r}{did_you_mean(found, known)}; "
            "name one that only other processes enable in settings['core']['channels']"
        )
    return found
