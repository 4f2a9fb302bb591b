"""Which sentences of the passages answer the question, and how sure that is.

Start with `reader.Reader`; `neural` is the one that is shipped.
"""
