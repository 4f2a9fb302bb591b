"""What text is put in front of a model: passages packed into a budget of tokens, templates for choosing sentences.

Start with `packing.pack`.
"""
