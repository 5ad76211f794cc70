"""A counting HTTP proxy on the loopback, between a client and an S3 server."""

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 1 << 18
# Of one connection, not of what is sent over it.
HOPS = {"connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection"}


class Counted:
    """Requests by method, and the bytes of bodies both ways."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.sent = self.received = 0
        self._lock = threading.Lock()

    def add(self, method: str, sent: int, received: int) -> None:
        """Count one request and its answer."""
        with self._lock:
            self.requests[method] += 1
            self.sent += sent
            self.received += received

    def take(self) -> tuple[Counter[str], int, int]:
        """Return what was counted, and begin anew."""
        with self._lock:
            taken = self.requests, self.sent, self.received
            self.requests, self.sent, self.received = Counter(), 0, 0
        return taken


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    upstream = 0
    counted: Counted

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that has what it wants may hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream)

    def finish(self) -> None:
        self.upstream.close()
        super().finish()

    def forward(self) -> None:
        """Hand a request on, headers as they are: the signature covers them."""
        length = int(self.headers.get("content-length", 0))
        chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOPS:
                self.upstream.putheader(name, value)
        body = self._chunks() if chunked else self._body(length)
        if chunked:
            self.upstream.putheader("Transfer-Encoding", "chunked")
        self.upstream.endheaders()
        sent = 0
        for piece in body:
            sent += len(piece)
            self.upstream.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self.upstream.send(b"0\r\n\r\n")
        self.server.counted.add(self.command, sent, self._answer())

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = forward  # noqa: N815

    def _body(self, left: int) -> Iterator[bytes]:
        while left:
            piece = self.rfile.read(min(PIECE, left))
            if not piece:
                return
            left -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _answer(self) -> int:
        answer, received = self.upstream.getresponse(), 0
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOPS:
                self.send_header(name, value)
        chunked = answer.length is None and self.command != "HEAD"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := answer.read(PIECE):
            received += len(piece)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        return received

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def counting(port: int) -> Iterator[tuple[str, Counted]]:
    """Listen on a free port and hand everything on to `port`; give the URL and the counts."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.upstream, server.counted = port, Counted()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", server.counted
        finally:
            server.shutdown()
