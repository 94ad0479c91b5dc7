"""Tiers: what a member has reached, as a function of what it earned or spent in a window."""
