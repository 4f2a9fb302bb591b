"""Who may ask: keys, scopes, origins, rates. Start with `callers`; `keys` keeps the keys."""
