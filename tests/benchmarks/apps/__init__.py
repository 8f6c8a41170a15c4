"""Programs that the benchmark starts: the authorization server, the event source, and the peers written here."""
