"""Checked expressions as SQL: the same answers as their Python, over contacts by the million."""
