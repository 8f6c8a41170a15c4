"""Websockets (RFC 6455): a handshake is forwarded like any request, then messages go both ways until one side ends.

Neither hop negotiates compression: what it may unfold to in one read could not be bounded.
"""

from .downstream import DownstreamWebSocket
from .relay import relay
from .upstream import UpstreamWebSocket, WebSocketUpstream

__all__ = ["DownstreamWebSocket", "UpstreamWebSocket", "WebSocketUpstream", "relay"]
