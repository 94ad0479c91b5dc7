"""Duplicates: which contacts may be one, and why. Pure: what is read and written stands in `crmkit.transaction`."""
