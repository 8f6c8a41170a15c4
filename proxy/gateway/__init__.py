"""The hot path; start at ``gateway``."""
