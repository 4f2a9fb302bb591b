"""The Python client of a running service. Start with `client`: `Pincite`, and `AsyncPincite` for an event loop."""

from service.client.client import AsyncPincite, Pincite

__all__ = ["AsyncPincite", "Pincite"]
