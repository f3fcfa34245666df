"""YAML, environment and secret files become frozen values."""
