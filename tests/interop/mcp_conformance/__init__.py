"""What the MCP project's own conformance suite makes of DPoP with the proxy in between."""
