"""Whether installed files have the bytes that their installer's record says."""

import base64
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import file_digest

from tallystick.envs.installed import Distribution, essential, recorded

_KNOWN = "sha256="
_AT_ONCE = 64


def altered(distributions: Iterable[Distribution]) -> Iterator[tuple[Distribution, str]]:
    """Packages with a file that is gone or holds other bytes than recorded, each with the first such file.

    No installer looks: a record can be true and a file not, where an index lies, or where somebody edited a
    file that the installer's cache shares with the environments it made.
    """
    every = list(distributions)
    files = [
        (number, file.path, file.digest)
        for number, distribution in enumerate(every)
        for file in recorded(distribution) or ()
        if file.digest.startswith(_KNOWN) and essential([file])
    ]
    paths = [(os.path.join(every[number].folder, path), digest) for number, path, digest in files]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found: dict[int, str] = {}
        for (number, path, _), sound in zip(
            files, pool.map(_is_sound, paths, chunksize=_AT_ONCE), strict=True
        ):
            if not sound:
                found.setdefault(number, path)
    yield from ((every[number], path) for number, path in found.items())


def _is_sound(file: tuple[str, str]) -> bool:
    path, digest = file
    try:
        with open(path, "rb", buffering=0) as opened:
            raw = file_digest(opened, "sha256").digest()
    except OSError:
        return False
    return digest == _KNOWN + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
