"""Secrets are recognised wherever they stand, and what is none is left alone."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.records.secrets import (
    HIDDEN,
    Redacting,
    Redactor,
    looks_secret,
    says_secret,
    secret_values,
)
from tests.planted import PLANTED, VARIABLES
from tests.records.strategies import relaxed

REDACTOR = Redactor.of(VARIABLES)


def test_forty_kinds_are_planted() -> None:
    assert len({secret for _, secret in PLANTED}) >= 40


@pytest.mark.parametrize(("line", "secret"), PLANTED, ids=range(len(PLANTED)))
def test_a_secret_is_taken_out_of_its_line(line: str, secret: str) -> None:
    assert secret in line
    redacted = REDACTOR.text(f"before\n{line}\nafter\n")
    assert secret not in redacted
    assert redacted.startswith("before\n")
    assert redacted.endswith("\nafter\n")
    assert HIDDEN.decode() in redacted
    assert REDACTOR.found(line) is not None


TEXT = "\n".join(line for line, _ in PLANTED).encode()


@relaxed
@given(st.lists(st.integers(0, len(TEXT)), max_size=12), st.booleans())
def test_a_secret_is_found_however_the_output_is_cut_in_pieces(cuts: list[int], short: bool) -> None:
    stream = Redacting(REDACTOR, 2048, 1024) if short else Redacting(REDACTOR)
    places = [0, *sorted(cuts), len(TEXT)]
    pieces = [TEXT[start:end] for start, end in pairwise(places)]
    given_out = b"".join(stream.feed(piece) for piece in pieces) + stream.end()
    for _, secret in PLANTED:
        assert secret.encode() not in given_out


@pytest.mark.parametrize("before", range(60, 72))
def test_a_secret_across_the_cut_of_an_endless_line_is_found(before: int) -> None:
    secret = b"ghp_" + b"a1B2" * 9
    stream = Redacting(Redactor(), 80, 50)
    given_out = b""
    for piece in (b"." * (before - 1) + b" ", secret, b" " + b"." * 200):
        for place in range(0, len(piece), 7):
            given_out += stream.feed(piece[place : place + 7])
    given_out += stream.end()
    assert secret[:20] not in given_out
    assert given_out == b"." * (before - 1) + b" [secret] " + b"." * 200


INNOCENT = (
    "python train.py --pad-token [PAD] --max-tokens 4096 --lr 0.1",
    "step 3: loss 0.25, accuracy 0.975",
    'tokenizer.pad_token = "<pad>"',
    "3ae7d805f6789a6402acb70ad4096a85a56bf6804eaf25c0493ac697548d30b5",
    "https://example.org/data.csv?version=3",
    "http://localhost:5000/#/experiments/1",
    "curl --password $PASSWORD https://host/",
    "psql postgres://user:${PGPASSWORD}@host/db",
    "monkey: 3, key: value, sort_key: timestamp",
    "sk-learn-is-a-nice-library-for-all",
    "for x in data; do python -m secrets_of_the_sea; done",
    "git clone git@github.com:ana/project.git",
    "blake3:9f0c1b2a3d4e5f60718293a4b5c6d7e8f9",
)


@pytest.mark.parametrize("line", INNOCENT)
def test_what_is_no_secret_is_left_alone(line: str) -> None:
    assert Redactor().text(line) == line
    assert Redactor().found(line) is None


@relaxed
@given(st.binary(max_size=300))
def test_other_bytes_pass_unchanged_through_a_redactor_that_knows_none(data: bytes) -> None:
    clean = data.replace(b":", b"").replace(b"=", b"").replace(b"-", b"").replace(b"e", b"")
    assert Redactor().data(clean) == clean


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "WANDB_API_KEY",
        "dbPassword",
        "PGPASSWORD",
        "SENTRY_DSN",
        "apiKey",
    ],
)
def test_a_variable_is_secret_by_its_name(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "TOKENIZERS_PARALLELISM",
        "PWD",
        "PATH",
        "SSH_AUTH_SOCK",
        "KEYBOARD",
        "GOOGLE_CREDENTIALS_PATH",
        "MONKEY",
    ],
)
def test_a_variable_is_no_secret_for_a_likeness(name: str) -> None:
    assert not looks_secret(name)


def test_a_parameter_is_secret_only_where_its_name_can_mean_nothing_else() -> None:
    assert says_secret("db.password")
    assert says_secret("hub.access_token")
    assert not says_secret("tokenizer.pad_token")
    assert not says_secret("sort_key")


def test_short_values_are_no_secrets_and_long_ones_are_known_as_they_look_in_urls_and_json() -> None:
    assert secret_values({"DEBUG_KEY": "1", "TOKEN": "off"}) == ()
    assert set(secret_values({"PASSWORD": 'pa"ss/word'})) == {
        b'pa"ss/word',
        b"pa%22ss%2Fword",
        b'pa\\"ss/word',
    }


def test_a_known_value_inside_of_a_longer_word_stops_nothing_but_is_hidden_from_logs() -> None:
    redactor = Redactor.of({"DB_PASSWORD": "postgres"})
    assert redactor.found("python postgres_etl.py") is None
    assert redactor.found("connect postgres") is not None
    assert redactor.text("postgres_etl") == "[secret]_etl"
