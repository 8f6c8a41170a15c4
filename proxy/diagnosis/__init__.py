"""The doctor: each step of the flow tried by itself, with its verdict, its cause and its remedy.

Nothing here decides anything anew: it asks the parts that serve, one after the other, and tells what they say.
The cache of access tokens is neither asked nor filled.
"""
