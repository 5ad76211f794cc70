"""The door to a tracking server: JSON over HTTP, bounded answers, no redirects, errors in our words."""

import base64
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, IncompleteRead
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from tallystick.errors import AccessDenied, BadRecord, Refused, RemoteBusy, RemoteUnreachable, TallyError
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.records.config import redacted
from tallystick.records.fields import Fields, single_line, top
from tallystick.records.syntax import load_json

PATIENCE = 60
"""Seconds that a server may say nothing."""

LARGEST = 32 << 20
"""Bytes of an answer; what is longer is no answer."""

_HERE = regex(r"localhost|::1|127(\.\d{1,3}){3}")
_LONGEST_WORDS = 300
_MOVED = range(300, 400)
_BUSY = (429, 503)
_DENIED = (401, 403, 407)
_FAULTS = range(500, 600)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, without a login, and what to show at its door; never shown to anybody else."""

    url: str
    authorization: str | None = None

    @property
    def exposes_login(self) -> bool:
        """Whether others on the way can read the login."""
        parts = urlsplit(self.url)
        here = _HERE.fullmatch(parts.hostname or "")
        return self.authorization is not None and parts.scheme == "http" and here is None


def address_of(uri: str, user: str = "", password: str = "", token: str = "") -> Address:
    """Take a URI apart; a login in it counts before the others. Raises Refused for what is no server's."""
    try:
        parts = urlsplit(uri.strip())
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or not single_line(uri):
        raise Refused(
            f"`{redacted(uri)[:200]}` is not the address of a server",
            hint="it begins with http:// or https://",
        )
    login, _, host = parts.netloc.rpartition("@")
    if login:
        user, _, password = (unquote(part) for part in login.partition(":"))
    url = parts._replace(netloc=host, path=parts.path.rstrip("/")).geturl()
    return Address(url, _authorization(user, password, token))


def _authorization(user: str, password: str, token: str) -> str | None:
    if user:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    if not token.strip():
        return None
    if not (token.isascii() and token.strip().isprintable()):
        raise Refused("the token for the tracking server holds characters that no token has")
    return f"Bearer {token.strip()}"


class _NoRedirect(HTTPRedirectHandler):
    """A login is for the server that the user named, not for whoever that server names."""

    def redirect_request(self, *_told: Any) -> None:
        """Follow nothing: it becomes an error."""


class Server:
    """A server that is asked in JSON."""

    def __init__(self, address: Address, agent: str, login: str) -> None:
        self.address = address
        self._login = login
        """How one logs in there, for who is not let in."""
        self._headers = {"User-Agent": agent, "Accept": "application/json"}
        if address.authorization is not None:
            self._headers["Authorization"] = address.authorization
        # Proxies and further authorities are the user's, by the usual variables. Certificates are checked.
        self._opener = build_opener(_NoRedirect)

    def get(self, path: str, query: Mapping[str, str], absent: Collection[str] = ()) -> Fields:
        """Ask; an empty answer where the server answers by one of the error codes in `absent`."""
        return self._asked(self._request("GET", f"{path}?{urlencode(query)}"), absent)

    def post(self, path: str, body: Mapping[str, Any], absent: Collection[str] = ()) -> Fields:
        """Tell, or ask for something that takes many words; an empty answer as for `get`."""
        request = self._request("POST", path)
        request.data = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        request.add_header("Content-Type", "application/json")
        return self._asked(request, absent)

    def send(self, method: str, path: str, content: IO[bytes], size: int) -> None:
        """Send a file."""
        request = self._request(method, path)
        request.data = content
        request.add_header("Content-Type", "application/octet-stream")
        request.add_header("Content-Length", str(size))
        self._asked(request, ())

    def _request(self, method: str, path: str) -> Request:
        # The scheme was looked at in `address_of`: no file is opened.
        return Request(self.address.url + path, headers=dict(self._headers), method=method)  # noqa: S310

    def _asked(self, request: Request, absent: Collection[str]) -> Fields:
        with self._translated():
            try:
                with self._opener.open(request, timeout=PATIENCE) as answer:
                    data = answer.read(LARGEST + 1)
                    if answer.length and len(data) <= LARGEST:
                        raise IncompleteRead(data, answer.length)
                    return self._understood(data)
            except HTTPError as error:
                with error:
                    code, message = _said(error)
                if code in absent:
                    return Fields({})
                raise self._refusal(error, code, message) from error

    def _understood(self, data: bytes) -> Fields:
        with self.reading():
            return top(load_json(data or b"{}", "", LARGEST), "", "answer")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn the complaint that an answer makes no sense into one about the server."""
        try:
            yield
        except BadRecord as error:
            raise RemoteUnreachable(
                f"`{self.address.url}` does not answer as such a server does: {_plain(error.reason)}",
                hint="is it the server's address?",
            ) from error

    def _refusal(self, error: HTTPError, code: str, message: str) -> TallyError:
        """The error for an answer that is a no."""
        url, status = self.address.url, error.code
        if status in _MOVED:
            place = _plain(redacted(error.headers.get("Location") or "elsewhere"))
            return RemoteUnreachable(
                f"`{url}` has moved to `{place}`", hint="if you trust it, name that address"
            )
        if status in _DENIED:
            return AccessDenied(f"`{url}` does not let you in: {message or status}", hint=self._login)
        if status in _BUSY:
            return RemoteBusy(f"`{url}` is busy ({status})", hint="repeat the command later")
        if status in _FAULTS:
            return RemoteUnreachable(f"`{url}` failed: {message or status}", hint="its log tells more")
        if not code:
            return RemoteUnreachable(f"`{url}` is no such server: it answers with {status}")
        return Refused(f"`{url}` refuses: {message or code}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what the library raises into our errors; the address stands in them without its login."""
        try:
            yield
        except (URLError, OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise RemoteUnreachable(
                f"`{self.address.url}` does not answer: {_plain(str(reason)) or type(reason).__name__}",
                hint="is it running, and is that its address?",
            ) from error


def quoted(path: str) -> str:
    """A path of names as it stands in a URL."""
    return quote(path, safe="/")


def _said(error: HTTPError) -> tuple[str, str]:
    """The code and the words of an answer that is a no; empty where it gives none."""
    try:
        told = load_json(error.read(1 << 20), "", 1 << 20)
    except (BadRecord, OSError, HTTPException):
        return "", ""
    if not isinstance(told, dict):
        return "", ""
    return _plain(str(told.get("error_code") or "")), _plain(str(told.get("message") or ""))


def _plain(text: str) -> str:
    """The beginning of a stranger's words, on one line."""
    line = " ".join(text.split())[:_LONGEST_WORDS]
    return "".join(letter if single_line(letter) else "\ufffd" for letter in line)
