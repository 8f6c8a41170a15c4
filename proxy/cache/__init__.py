"""The token at hand: from the cache, from another replica, or by one exchange that all who ask share."""
