"""Open, refresh once, save and end sessions."""
