"""The Python client of a running service. Start with `client`: `Pincite`; `AsyncPincite` is the same for asyncio."""

from service.client.aio.client import AsyncPincite
from service.client.client import Pincite

__all__ = ["AsyncPincite", "Pincite"]
