"""The caller's side: a request as the ASGI server hands it over, and whether its caller is still there."""
