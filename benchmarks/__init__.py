"""Measures Tallystick beside its peers: `python -m benchmarks --help`."""
