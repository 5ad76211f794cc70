"""The vault's record: canonical, strict, and found by what a package is."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.records.environment import Package
from tallystick.records.vault import Vault, VaultedWheel, parse, render

FILES = Digest.of(b"installed files")
WHEEL = VaultedWheel(
    "Some_Name", "1.0", FILES, "some_name-1.0-py3-none-any.whl", Digest.of(b"wheel"), 5, "0" * 64
)
OTHER = replace(WHEEL, name="another", file="another-1.0-1-cp311-cp311-linux_x86_64.whl")


def test_a_vault_survives_a_round_trip_in_one_order() -> None:
    data = render(Vault((WHEEL, OTHER)))
    assert parse(data) == Vault((OTHER, WHEEL))
    assert render(parse(data)) == data == render(Vault((OTHER, WHEEL)))


def test_two_vaults_join_and_the_later_wheel_of_a_package_counts() -> None:
    later = replace(WHEEL, digest=Digest.of(b"again"))
    assert (Vault((WHEEL, OTHER)) | Vault((later,))).wheels == (OTHER, later)


@pytest.mark.parametrize(
    ("package", "found"),
    [
        (Package("some-name", "1.0", record=FILES), True),
        (Package("some-name", "1.1", record=FILES), False),
        (Package("some-name", "1.0", record=Digest.of(b"other files")), False),
        (Package("some-name", "1.0"), False),
    ],
)
def test_a_wheel_is_found_by_name_version_and_installed_files(package: Package, found: bool) -> None:
    assert ("some-name" in Vault((WHEEL,)).wheels_of([package])) is found


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("file", "../alpha-1.0-py3-none-any.whl", "no name of a wheel"),
        ("file", "alpha-1.0-py3-none-any.whl --pre", "no name of a wheel"),
        ("file", "alpha.tar.gz", "no name of a wheel"),
        ("file", f"alpha-1.0-py3-none-{'a' * 255}.whl", "no name of a wheel"),
        ("sha256", "0" * 63, "64 hex digits"),
        ("size", -1, "whole number"),
        ("record", "md5:00", "not known"),
        ("more", 1, "unknown key"),
    ],
)
def test_what_could_mislead_an_installer_is_refused(key: str, value: Any, said: str) -> None:
    values = json.loads(render(Vault((WHEEL,))))
    values["wheels"][0][key] = value
    with pytest.raises(BadRecord, match=said):
        parse(json.dumps(values), "environment.vault")


def test_a_package_stands_once() -> None:
    values = json.loads(render(Vault((WHEEL,))))
    values["wheels"] *= 2
    with pytest.raises(BadRecord, match="stands twice"):
        parse(json.dumps(values))


def test_a_vault_of_a_later_version_says_so() -> None:
    with pytest.raises(BadRecord, match="later version"):
        parse('{"tally": 2, "wheels": []}')
