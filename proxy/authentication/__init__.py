"""Whose token, and is it good: verification by keys or introspection, and what is known of the user."""
