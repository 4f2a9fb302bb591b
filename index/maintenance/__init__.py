"""Checking an index, repairing what is derived, saving what is readable, copying it. Start with `checking.check`."""
