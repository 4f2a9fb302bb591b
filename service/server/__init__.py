"""From a socket to the application: connections and their limits, processes. Start with `serving.serve_on`."""
