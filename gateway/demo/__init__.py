"""The sample application, and the trio that the demo runs."""
