"""What the documents say, and where: a synchronous library without HTTP or environment variables.

A document goes through `text`, `embedding` and `storage`, a question through `search`; start with
`collections.collection`, which brings them together.
"""
