"""Walls around a command, where the system has them."""
