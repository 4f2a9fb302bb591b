"""Asking every question of a test set, keeping the responses, reporting and comparing.

Start with `evaluation.evaluate`.
"""
