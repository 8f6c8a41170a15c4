"""Everything said to an authorization server."""
