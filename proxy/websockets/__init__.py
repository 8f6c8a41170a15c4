"""What both hops of a websocket (RFC 6455) share: how a peer is read, memory for messages, how it ends.

Neither hop negotiates compression: what it may unfold to in one read could not be bounded.
"""
