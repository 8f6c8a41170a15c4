"""What the proxy tells of itself."""
