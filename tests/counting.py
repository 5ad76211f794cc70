"""A proxy before an object store that counts what the server is asked, as the server sees it."""

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.servers import Server

_OF_ONE_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "content-length"}


class Counts:
    """The requests since the last `clear`; `refuse` may answer one with a status instead of the server.

    `spoil` may name what happens to one: the connection is cut before the server hears of it (`unheard`),
    before its answer comes (`unanswered`) or in the middle of it (`cut`), or half of the answer looks like
    all of it (`short`).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: list[str] = []
        self.at_once = self.most_at_once = 0
        self.refuse: Callable[[str], int] = lambda request: 0
        self.spoil: Callable[[str], str] = lambda request: ""

    def clear(self) -> None:
        """Start counting anew."""
        self.requests.clear()
        self.most_at_once = 0

    def kinds(self) -> Counter[str]:
        """How many of each kind."""
        return Counter(request.partition(" ")[0] for request in self.requests)

    @contextmanager
    def during(self, request: str) -> Iterator[None]:
        """Note a request while it is answered."""
        with self._lock:
            self.requests.append(request)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            yield
        finally:
            with self._lock:
                self.at_once -= 1


@contextmanager
def counted(server: Server) -> Iterator[tuple[Server, Counts]]:
    """The same server behind a proxy that counts."""
    counts, target = Counts(), urlsplit(server.endpoint).netloc
    proxy = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Proxy", (_Proxy,), {"counts": counts, "target": target})
    )
    proxy.daemon_threads = True
    thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield replace(server, endpoint=f"http://127.0.0.1:{proxy.server_address[1]}"), counts
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


class _Proxy(BaseHTTPRequestHandler):
    """Passes each request on to the server, and its answer back."""

    protocol_version = "HTTP/1.1"
    counts: Counts
    target: str

    def setup(self) -> None:
        super().setup()
        self.upstream = http.client.HTTPConnection(self.target, timeout=60)

    def finish(self) -> None:
        self.upstream.close()
        super().finish()

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def answer(self) -> None:
        request = _described(self.command, self.path)
        how = self.counts.spoil(request)
        if how == "unheard":
            self.rfile.read(int(self.headers.get("Content-Length") or 0) // 2)
            self.close_connection = True
            return
        body = self._body()
        with self.counts.during(request):
            status = self.counts.refuse(request)
            if status:
                self._say(status, [], b"<Error><Code>SlowDown</Code><Message>slow down</Message></Error>")
                return
            found = self._passed_on(body)
            data, length = found.read(), found.getheader("Content-Length")
            self.close_connection |= bool(how)
            if how != "unanswered":
                told = data[: len(data) // 2] if how == "short" else data
                self._say(found.status, found.getheaders(), told, length, cut=how == "cut")

    def _passed_on(self, body: bytes) -> http.client.HTTPResponse:
        self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _OF_ONE_HOP:
                self.upstream.putheader(name, value)
        self.upstream.putheader("Content-Length", str(len(body)))
        self.upstream.endheaders(body)
        return self.upstream.getresponse()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _say(
        self,
        status: int,
        headers: list[tuple[str, str]],
        data: bytes,
        length: str | None = None,
        *,
        cut: bool = False,
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _OF_ONE_HOP:
                self.send_header(name, value)
        is_head = self.command == "HEAD" and length is not None
        self.send_header("Content-Length", length if is_head else str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)

    def log_message(self, *args: object) -> None:
        pass


def _described(method: str, path: str) -> str:
    """`LIST packs/`, `GET packs/…`, `PART packs/…`: what S3 calls a request."""
    parts = urlsplit(path)
    query = parse_qs(parts.query, keep_blank_values=True)
    key = "/".join(parts.path.split("/")[2:])
    if method == "GET" and "list-type" in query:
        return f"LIST {query.get('prefix', [''])[0]}"
    if method == "PUT" and "partNumber" in query:
        return f"PART {key}"
    if method == "POST":
        kind = "MULTIPART" if "uploads" in query else "COMPLETE" if "uploadId" in query else "POST"
        return f"{kind} {key}"
    return f"{method} {key}"
