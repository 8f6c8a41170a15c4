"""HTTP/2 as callers speak it (RFC 9113): one connection, its streams, and whose turn it is to send."""
