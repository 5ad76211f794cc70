"""Servers that show runs to others: what they are told, and the doors to them."""
