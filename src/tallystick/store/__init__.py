"""Blobs: a local store, remote stores, and what goes between them."""

from tallystick.store.local import LocalStore
from tallystick.store.remote import RemoteStore

__all__ = ["LocalStore", "RemoteStore"]
