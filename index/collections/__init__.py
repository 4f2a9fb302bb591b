"""A collection that is searched while it changes: building it, writing to it, opening it.

Start with `building.build` for documents and `collection.Collection` for questions.
"""
