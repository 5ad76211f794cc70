"""What a command leaves in its record while it runs."""

import json
from pathlib import Path

from tallystick.records.provenance import Tracker
from tallystick.records.secrets import Redactor
from tallystick.runs.recording import LONGEST_LINE, Record, cause_of, plain_line


def test_a_line_is_shown_without_colours_and_as_it_stood_at_last() -> None:
    assert plain_line("\x1b[31mred\x1b[0m") == "red"
    assert plain_line(" 10%\r 50%\r100%\r") == "100%"
    assert plain_line("\x1b]0;title\x07a\tb") == "a    b"
    assert plain_line("a\x00b\u202e") == "a\ufffdb\ufffd"
    assert plain_line("x" * 9999) == "x" * LONGEST_LINE + "…"


def test_the_tail_is_the_last_twenty_lines_that_say_something(tmp_path: Path) -> None:
    record = Record(tmp_path)
    assert record.tail() == ()
    record.log.write_text("".join(f"line {n}\n\n" for n in range(50)))
    assert record.tail() == tuple(f"line {n}" for n in range(30, 50))


def test_what_processes_say_of_themselves_is_gathered_without_secrets(tmp_path: Path) -> None:
    first = {
        "settings": {"torch threads": 2},
        "trackers": [{"kind": "mlflow", "id": "ab", "uri": "https://ana:pw123456@host/"}],
    }
    (tmp_path / "facts-1.json").write_text(json.dumps(first))
    (tmp_path / "facts-2.json").write_text(json.dumps({"settings": {"torch threads": 3, "x": "y"}}))
    (tmp_path / "facts-3.json").write_text("{")
    (tmp_path / "facts-4.json").write_text('{"settings": 1, "trackers": [{"kind": "other", "id": "x"}, 3]}')
    record = Record(tmp_path)
    assert record.settings(Redactor()) == {"torch threads": "2", "x": "y"}
    assert record.trackers(Redactor()) == (Tracker("mlflow", "ab", "https://ana:[secret]@host/"),)


def test_a_cause_is_one_line_without_secrets() -> None:
    assert cause_of(None, Redactor()) is None
    assert cause_of("failed:\n  --password hunter22", Redactor()) == "failed:   --password [secret]"


def test_a_token_before_the_host_of_a_tracker_is_hidden(tmp_path: Path) -> None:
    told = {"trackers": [{"kind": "mlflow", "id": "ab", "uri": "https://sometoken@host:5000/x"}]}
    (tmp_path / "facts-1.json").write_text(json.dumps(told))
    (tracker,) = Record(tmp_path).trackers(Redactor())
    assert tracker.uri == "https://***@host:5000/x"
