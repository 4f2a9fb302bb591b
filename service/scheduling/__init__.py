"""Who computes when: threads for calls, fair turns for readers, deadlines.

Start with `workers`, then `fair_scheduler`.
"""
