"""The door to a tracking server: what is asked, what is believed, what is never given away."""

import base64
import io
import socket
from threading import Thread

import pytest

from tallystick.errors import AccessDenied, Refused, RemoteBusy, RemoteUnreachable, TallyError
from tallystick.trackers import web
from tallystick.trackers.web import Address, Server, address_of
from tests.servers import free_ports
from tests.trackers.strict import Answer, serving


def failure(answer: Answer) -> TallyError:
    """The error that an answer becomes."""
    with serving(lambda *_asked: answer) as url, pytest.raises(TallyError) as caught:
        Server(Address(url), "test", "log in so").get("/x", {})
    return caught.value


@pytest.mark.parametrize(
    ("uri", "url", "login"),
    [
        ("http://localhost:5000", "http://localhost:5000", None),
        ("https://host/mlflow/", "https://host/mlflow", None),
        (" https://ana:p%40ss@host ", "https://host", "ana:p@ss"),
        ("https://t0ken@host", "https://host", "t0ken:"),
    ],
)
def test_an_address_stands_apart_from_its_login(uri: str, url: str, login: str | None) -> None:
    address = address_of(uri)
    assert address.url == url
    expected = None if login is None else "Basic " + base64.b64encode(login.encode()).decode()
    assert address.authorization == expected


def test_a_login_in_the_address_counts_before_the_others_and_a_name_before_a_token() -> None:
    def decoded(address: Address) -> str:
        return base64.b64decode((address.authorization or "").removeprefix("Basic ")).decode()

    assert decoded(address_of("https://a:b@host", "c", "d", "e")) == "a:b"
    assert decoded(address_of("https://host", "c", "d", "e")) == "c:d"
    assert address_of("https://host", token=" e\n").authorization == "Bearer e"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "databricks",
        "sqlite:///mlflow.db",
        "file:///etc",
        "ftp://host",
        "http://",
        "http://host:port",
        "http://[::1",
        "http://host/?token=abcdefgh",
        "http://host/#x",
        "http://ho\nst",
        "./mlruns",
    ],
)
def test_what_is_no_address_of_a_server_is_refused(uri: str) -> None:
    with pytest.raises(Refused, match="not the address of a server") as caught:
        address_of(uri)
    assert "abcdefgh" not in str(caught.value)


def test_a_login_is_exposed_on_a_way_that_others_can_read() -> None:
    exposed = [address_of(uri, token="t").exposes_login for uri in ("http://host", "http://127.host.org")]
    assert exposed == [True, True]
    hidden = ("https://host", "http://localhost:5000", "http://127.0.0.1", "http://[::1]:5000")
    assert not any(address_of(uri, token="t").exposes_login for uri in hidden)
    assert not address_of("http://host").exposes_login


def test_a_token_that_would_smuggle_a_header_in_is_refused() -> None:
    for token in ("a\r\nX-Y: z", "ä"):
        with pytest.raises(Refused, match="token"):
            address_of("https://host", token=token)


def test_a_redirect_is_not_followed_and_takes_no_login_elsewhere() -> None:
    seen: list[dict[str, str]] = []

    def other(_method: str, _path: str, headers: dict[str, str], _body: bytes) -> Answer:
        seen.append(headers)
        return 200, {}, b"{}"

    with serving(other) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            with serving(lambda *_asked, status=status: (status, {"Location": elsewhere}, b"")) as url:
                server = Server(Address(url, "Bearer t0p"), "test", "log in so")
                with pytest.raises(RemoteUnreachable, match=f"has moved to `{elsewhere}`"):
                    server.get("/x", {})
                with pytest.raises(RemoteUnreachable, match="has moved"):
                    server.post("/x", {})
    assert seen == []


def test_nobody_there_is_said_with_the_address() -> None:
    (port,) = free_ports(1)
    with pytest.raises(RemoteUnreachable, match=f"`http://127.0.0.1:{port}` does not answer") as caught:
        Server(Address(f"http://127.0.0.1:{port}"), "test", "log in so").get("/x", {})
    assert caught.value.exit_code == 15
    assert caught.value.hint


def test_who_is_not_let_in_is_told_how() -> None:
    for status in (401, 403):
        error = failure((status, {}, b"no"))
        assert isinstance(error, AccessDenied)
        assert error.hint == "log in so"


def test_a_server_that_is_busy_or_broken_is_out_of_reach() -> None:
    assert isinstance(failure((429, {}, b"")), RemoteBusy)
    assert isinstance(failure((503, {}, b"")), RemoteBusy)
    assert "failed: no disk" in str(failure((500, {}, b'{"error_code": "X", "message": "no disk"}')))


def test_a_refusal_is_told_in_the_servers_words_on_one_short_line() -> None:
    words = '{"error_code": "INVALID", "message": "bad\\n\\u001b[31m key ' + "x" * 1000 + '"}'
    error = failure((400, {}, words.encode()))
    assert type(error) is Refused
    assert "refuses: bad" in error.message
    assert "\n" not in error.message
    assert "\x1b" not in error.message
    assert len(error.message) < 400


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b"[1, 2]",
        b'{"a": NaN}',
        b"\xff\xfe",
        b'{"a":' * 100_000,
        b'{"a": 1, "a": 2}',
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_answer_is_not_believed(body: bytes) -> None:
    assert isinstance(failure((200, {}, body)), RemoteUnreachable)
    assert "no such server" in str(failure((404, {}, body)))


def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "LARGEST", 1000)
    assert "larger than the 1,000 bytes" in str(failure((200, {}, b" " * 2000 + b"{}")))


def test_an_answer_that_is_cut_off_is_none() -> None:
    assert isinstance(failure((200, {"Content-Length": "100"}, b"{}")), RemoteUnreachable)


def test_something_that_speaks_no_http_is_out_of_reach() -> None:
    def answer() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(b"SSH-2.0-OpenSSH\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        thread = Thread(target=answer, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(RemoteUnreachable):
            Server(Address(url), "test", "log in so").get("/x", {})
        thread.join()


def test_an_error_code_that_is_counted_on_is_an_empty_answer() -> None:
    gone = (404, {}, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}')
    with serving(lambda *_asked: gone) as url:
        server = Server(Address(url), "test", "log in so")
        assert server.get("/x", {}, absent=("RESOURCE_DOES_NOT_EXIST",)).value == {}
        with pytest.raises(Refused):
            server.get("/x", {}, absent=("OTHER",))


def test_what_is_sent_arrives_with_login_and_length() -> None:
    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    def keep(*asked: object) -> Answer:
        seen.append(asked)  # type: ignore[arg-type]
        return 200, {}, b""

    with serving(keep) as url:
        server = Server(Address(url, "Bearer t0p"), "tallystick/1", "log in so")
        server.post("/a", {"ä": [1, None]})
        server.send("PUT", "/b", io.BytesIO(b"x" * 100_000), 100_000)
    (_, _, headers, body), (method, path, sent, content) = seen
    assert body == '{"ä": [1, null]}'.encode()
    assert (headers["authorization"], headers["user-agent"]) == ("Bearer t0p", "tallystick/1")
    assert (method, path, content) == ("PUT", "/b", b"x" * 100_000)
    assert (sent["authorization"], sent["content-length"]) == ("Bearer t0p", "100000")
