"""The asyncio client, from which the synchronous one is generated. Start with `client.AsyncPincite`."""
