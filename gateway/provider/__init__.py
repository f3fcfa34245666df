"""Speak OpenID Connect to a provider over httpx."""
