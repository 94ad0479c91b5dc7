"""Offers with a budget, and the log of what was given to whom."""
