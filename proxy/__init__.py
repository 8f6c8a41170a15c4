"""obo-proxy: an on-behalf-of forwarding reverse proxy (RFC 8693)."""
