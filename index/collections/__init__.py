"""A collection that is searched while it changes: building it, writing to it, opening it.

Start with `build.build` for documents and `collection.Collection` for questions.
"""
