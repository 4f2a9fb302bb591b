"""Searching one version of a collection: dense with FAISS, terms with tantivy, both fused.

Start with `searcher.Searcher.search`.
"""
