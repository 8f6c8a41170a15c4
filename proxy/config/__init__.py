"""YAML and environment to frozen values; every fault at once."""
