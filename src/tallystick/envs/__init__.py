"""Capture an environment; build it again."""
