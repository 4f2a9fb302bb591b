"""The way of a question: searched for, read, selected, composed into cited answers.

Start with `answering.Answering.ask`, then follow `selection` and `composing`.
"""
