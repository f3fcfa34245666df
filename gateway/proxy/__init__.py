"""Carry one exchange to an upstream and back."""
