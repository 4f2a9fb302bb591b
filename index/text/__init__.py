"""From the bytes of a file to sentences and passages, every one with its place in the text.

Start with `preparation.prepare`.
"""
