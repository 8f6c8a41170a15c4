"""What loads a proxy: wrk with a script, one large transfer, event streams, idle connections."""
