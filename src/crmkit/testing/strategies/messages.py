"""Messages as plugins queue them."""

from __future__ import annotations

from hypothesis import strategies as st

from crmkit.messages import Message, Repeat

_TOPICS = ("thank-you", "receipt", "ქულები")
_LINE = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))
_TEXT = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), include_characters="\r\n\t")


def messages() -> st.SearchStrategy[Message]:
    """Return a strategy for messages with literal texts, in any script, of one line or several."""
    return st.builds(
        Message,
        topic=st.sampled_from(_TOPICS),
        subject=st.text(_LINE, max_size=80),
        text=st.text(_TEXT, min_size=1, max_size=300),
        repeat=st.sampled_from(Repeat),
    )
