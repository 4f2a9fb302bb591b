"""What office formats share: packages and their relationships, styles by name, list numbers, rows of tables.

Start with `draft`, in which text, blocks and map grow together.
"""
