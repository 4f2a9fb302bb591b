"""What is on the disk: the SQLite store of documents and passages, the layout of an index folder, checksums.

Start with `store.Store`; `layout` draws the folder.
"""
