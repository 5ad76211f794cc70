"""Blobs: a local store, remote stores, and what goes between them."""
