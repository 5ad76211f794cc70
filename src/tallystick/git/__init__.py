"""The doors to git."""
