"""Measure the gateway beside others, each with one worker on one core. `python -m bench --help`."""
