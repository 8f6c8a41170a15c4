"""JOSE (RFC 7515 to 7518): strict JSON and base64url, signatures, public keys, and our own private keys."""
