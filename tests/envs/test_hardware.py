import os
from pathlib import Path

import pytest

from tallystick.envs import hardware as machine
from tallystick.records import receipt


def test_this_machine_has_a_processor_and_memory() -> None:
    found = machine.hardware()
    assert isinstance(found, receipt.Hardware)
    assert found.cpu
    assert found.cores >= 1
    assert found.memory > 1 << 20


INTEL = (
    "processor\t: 0\nmodel name\t: Intel(R)  Xeon(R) CPU\ncores\t: 2\n\nprocessor\t: 1\nmodel name\t: Other\n"
)
ARM = "processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n"


@pytest.mark.parametrize(
    ("text", "cpu"),
    [(INTEL, "Intel(R) Xeon(R) CPU"), (ARM, f"{os.uname().machine} 0x41 0xd0c"), ("", os.uname().machine)],
)
def test_the_processor_is_named_as_well_as_it_can_be(tmp_path: Path, text: str, cpu: str) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert machine._cpu_of_linux(file) == cpu


def test_without_proc_the_machine_type_will_do(tmp_path: Path) -> None:
    assert machine._cpu_of_linux(tmp_path / "none") == os.uname().machine
