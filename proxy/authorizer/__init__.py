"""Beside a gateway that is there already: it asks here for each request, and calls with the token that it is given.

Nothing is forwarded. What is decided, is decided on the gateway's caller's own request, as the proxy would.
"""
