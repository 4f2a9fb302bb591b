"""Test sets in three layouts, read into one. Start with `loading.load`; `dataset` says what a set is."""
