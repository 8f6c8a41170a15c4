"""The token cache that replicas share in Valkey or Redis."""
