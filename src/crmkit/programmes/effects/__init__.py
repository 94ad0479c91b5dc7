"""What declared rules give: points, gifts, and money off the price."""
