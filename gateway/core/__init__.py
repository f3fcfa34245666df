"""Decide and transform, purely: no I/O, no clock, no framework."""
