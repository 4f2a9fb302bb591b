"""The Python client of a running service. Start with `client.Pincite`."""
