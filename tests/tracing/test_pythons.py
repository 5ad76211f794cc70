"""What Python processes tell of themselves."""

from tallystick.tracing.pythons import PythonProcess, parse

SHELL = ("began", 7, "3.12.1", "/tools/bin/python", "/tools", "/tools/bin/poetry")
TRAIN = ("began", 7, "3.11.7", "/venv/bin/python", "/venv", "/work/train.py")
CHILD = ("began", 9, "3.11.7", "/venv/bin/python", "/venv", "-c")


def told(*lines: object) -> bytes:
    return "".join(f"{line!a}\n" for line in lines).encode()


def test_a_process_that_became_another_program_is_that_one() -> None:
    data = told(SHELL, CHILD, TRAIN, ("ended", 9, 50), ("ended", 7, 800))
    assert parse(data) == (
        PythonProcess(9, "3.11.7", "/venv/bin/python", "/venv", "-c", 50),
        PythonProcess(7, "3.11.7", "/venv/bin/python", "/venv", "/work/train.py", 800),
    )


def test_what_cannot_be_read_is_passed_over() -> None:
    bad = [
        ("began", 1),
        ("began", "x", 1),
        3,
        ("ended", 5, 5),
        ("began", 2, "3", "python", "/", ""),
        ("x", 1),
    ]
    data = told(*bad, TRAIN) + b"\xff\n" + b"(" * 999 + b"\n" + told(CHILD)[:-9]
    assert [each.number for each in parse(data)] == [7]
