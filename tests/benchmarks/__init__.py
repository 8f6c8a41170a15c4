"""The proxy beside its peers: the same work, one core each, interleaved. Run ``python -m tests.benchmarks``."""
