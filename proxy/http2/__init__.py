"""What both sides of HTTP/2 share (RFC 9113): the codec, the rules for messages, and the bounds on a peer."""
