"""HTTP to an authorization server: over our own connections, or through the forward proxy of a network."""

from .bounds import MAX_ANSWER, RETRY_AFTER
from .outbound import Outbound

__all__ = ["MAX_ANSWER", "RETRY_AFTER", "Outbound"]
