"""The Litestar application: routes, validation, errors, documentation, the page. Start with `app.create_app`."""
