"""What the steps of the state machine hand on to one another."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import Bundle

from crmkit_loyalty.testing.bought import Bought, Spent
from crmkit_loyalty.testing.programme import MEMBERS

orders: Bundle[Bought] = Bundle("orders")
burns: Bundle[Spent] = Bundle("burns")
reserved: Bundle[Spent] = Bundle("reserved")

#: Which member.
WHO = st.integers(0, MEMBERS - 1)
