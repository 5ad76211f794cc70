"""Fetch and unpack conda packages by py-rattler: the extra `conda`."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from rattler import Client, RepoDataRecord, install
from rattler.package_streaming import download_to_path

from tallystick.errors import EnvironmentNotRebuilt


def fetch(files: Mapping[Path, str]) -> dict[Path, str]:
    """Download each file from its address; return why those that could not be had couldn't.

    Whoever needs a password or token for a channel has given it to conda's tools, which keep it.
    """
    return asyncio.run(_fetched(files))


async def _fetched(files: Mapping[Path, str]) -> dict[Path, str]:
    client = Client.default_client()
    limit = asyncio.Semaphore(8)

    async def one(path: Path, url: str) -> None:
        async with limit:
            await download_to_path(client, url, path)

    done = await asyncio.gather(*(one(path, url) for path, url in files.items()), return_exceptions=True)
    return {path: _said(error) for path, error in zip(files, done, strict=True) if error is not None}


def unpack(archives: Sequence[Path], prefix: Path, cache: Path) -> None:
    """Make an environment of package files, whatever they depend on; nothing of them is executed.

    `cache` is where they are unpacked first. Raises EnvironmentNotRebuilt.
    """
    asyncio.run(_unpacked(archives, prefix, cache))


async def _unpacked(archives: Sequence[Path], prefix: Path, cache: Path) -> None:
    records = []
    for archive in archives:
        try:
            records.append(await RepoDataRecord.from_package_archive(archive))
        except Exception as error:  # its errors share no class
            raise EnvironmentNotRebuilt(f"`{archive.name}` is no conda package: {_said(error)}") from error
    try:
        await install(records, prefix, cache_dir=cache, execute_link_scripts=False, show_progress=False)
    except Exception as error:
        raise EnvironmentNotRebuilt(f"the conda packages can't be unpacked: {_said(error)}") from error


def _said(error: BaseException) -> str:
    """What went wrong, in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__
