"""What a receipt says of a run besides what its stage declares."""

import pytest

from tallystick.envs.captured import Captured
from tallystick.records.environment import Lock, Package
from tallystick.runs.accounts import unlike


def captured(**versions: str) -> Captured:
    packages = tuple(Package(name, version, "index") for name, version in versions.items())
    return Captured(Lock("cpython", "3.11.7", packages), "3.11.7", "linux", "/usr/bin/python", (), (), ())


@pytest.mark.parametrize(
    ("said", "recorded", "expected"),
    [
        ({"numpy": "2.2.6", "torch threads": "2"}, {"numpy": "2.2.6"}, []),
        ({"torch": "2.7.0+cpu"}, {"torch": "2.7.0"}, []),
        ({"tensorflow": "2.21.0"}, {"tensorflow_cpu": "2.21.0"}, []),
        (
            {"numpy": "2.2.6"},
            {"numpy": "2.4.6"},
            ["numpy: the command used 2.2.6, the environment that was recorded has 2.4.6"],
        ),
        (
            {"numpy": "2.2.6"},
            {},
            ["numpy: the command used 2.2.6, the environment that was recorded has none"],
        ),
    ],
)
def test_a_command_that_used_another_python_than_was_captured_is_told(
    said: dict[str, str], recorded: dict[str, str], expected: list[str]
) -> None:
    assert list(unlike(said, captured(**recorded))) == expected
