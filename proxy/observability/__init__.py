"""What the operator sees: logs, metrics, history, failures, traces."""
