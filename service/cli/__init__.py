"""Commands that serve, ask and keep keys. Start with `serve.serve_command`."""
