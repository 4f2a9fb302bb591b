"""What the answer is, and who may ask: the reader, composing, HTTP.

A question goes through `http.routes.questions` and `answering.answering`: start there.
"""
