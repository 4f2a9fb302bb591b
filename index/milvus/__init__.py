"""Collections in Milvus instead of a folder, behind the same protocols.

Start with `backend.MilvusBackend`; `engine` alone knows the client.
"""
