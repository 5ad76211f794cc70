"""Upload a pack, and find those that an interrupted push has uploaded."""

from collections.abc import Sequence
from typing import NamedTuple

from tallystick.digest import Buffer
from tallystick.errors import ObjectCorrupt
from tallystick.store.assembling import assemble
from tallystick.store.index import Index, PackName
from tallystick.store.outgoing import Parcel
from tallystick.store.remote import RemoteStore
from tallystick.store.verbatim import Verbatim

PACKS_AT_A_TIME = 2
"""Packs that are uploaded at a time: they are in memory meanwhile."""


class Uploaded(NamedTuple):
    """A pack that the remote has confirmed, its table of contents, and which local pack it was, if any."""

    pack: PackName
    rows: Buffer
    blobs: int
    size: int
    here: PackName | None


def upload(remote: RemoteStore, parcel: Parcel | Verbatim) -> Uploaded:
    """Send a pack, and note that it is there."""
    pack = remote.put_pack(parcel.pieces(), parcel.name)
    remote.journal.note(pack.digest)
    here = parcel.pack if isinstance(parcel, Verbatim) else None
    return Uploaded(pack, parcel.rows, parcel.blobs, parcel.size, here)


def tried(remote: RemoteStore, parcel: Parcel | Verbatim) -> Uploaded | None:
    """Send a pack; None for one of the local store that turns out not to be what its name says."""
    try:
        return upload(remote, parcel)
    except ObjectCorrupt:
        if isinstance(parcel, Verbatim) and not parcel.is_right:
            return None
        raise


def resumed(remote: RemoteStore) -> Sequence[tuple[PackName, Buffer]]:
    """The packs that an interrupted push has left at the remote without an index; from now on they count."""
    noted = remote.journal.packs()
    there = [(name, rows) for pack in noted if (name := remote.listed(pack)) and (rows := remote.table(name))]
    remote.journal.forget(set(noted) - {name.digest for name, _ in there})
    if there:
        remote.catalogue.add(Index(assemble(there, {})), remote.has_pack)
    return there
