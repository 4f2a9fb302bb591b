"""The client for asyncio, of which the one without is made. Start with `client.AsyncPincite`."""
