"""Blobs: a local store, remote stores, and what goes between them."""

from tallystick.store.local import LocalStore

__all__ = ["LocalStore"]
