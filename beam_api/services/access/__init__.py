"""Authenticate keys and tokens, and apply their rate limits."""
