"""HTTP as bytes on a socket, for what no client library would send."""

import json
import socket
import struct
import time

# How long an answer, or the end of the connection, may take; only a hang takes so long.
PATIENCE = 20


class Closed(Exception):
    """The connection ended where an answer was due."""


class Reply:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self):
        return f"{self.status} {self.headers.get('content-type')} {self.body[:300]!r}"


class Wire:
    """One connection."""

    def __init__(self, port, timeout=PATIENCE):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""
        self._is_closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def fileno(self):
        return self._socket.fileno()

    def send(self, data):
        """Sends what the server takes; one that has refused reads no more, which is its right."""
        try:
            self._socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def half_close(self):
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Goes with a RST, as a client that crashes with bytes unread."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def _more(self):
        try:
            piece = self._socket.recv(65536)
        except ConnectionResetError:
            piece = b""
        self._read += piece
        self._is_closed = not piece
        return bool(piece)

    def _until(self, mark):
        while mark not in self._read:
            if not self._more():
                raise Closed(f"after {self._read[:300]!r}")
        part, self._read = self._read.split(mark, 1)
        return part

    def _exactly(self, count):
        while len(self._read) < count:
            if not self._more():
                raise Closed(f"{len(self._read)} of {count} bytes of a body came")
        part, self._read = self._read[:count], self._read[count:]
        return part

    def head(self):
        """Status and headers of the next final answer."""
        while True:
            lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            version, status, *_ = lines[0].split(" ")
            if version not in ("HTTP/1.1", "HTTP/1.0"):
                raise AssertionError(f"no status line: {lines[0][:200]!r}")
            headers = {}
            for line in lines[1:]:
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            if int(status) >= 200:
                return int(status), headers

    def answer(self, method="GET"):
        status, headers = self.head()
        if method == "HEAD" or status in (204, 304):
            return Reply(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._until(b"\r\n"), 16):
                body += self._exactly(size)
                self._exactly(2)
            self._exactly(2)
            return Reply(status, headers, body)
        return Reply(status, headers, self._exactly(int(headers["content-length"])))

    def read_body(self, count):
        return self._exactly(count)

    def line(self):
        return self._until(b"\n")

    def ends(self, seconds=PATIENCE):
        """Whether the server closes now, with nothing more said; what it said is in `rest`."""
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                self._socket.settimeout(max(0.01, deadline - time.monotonic()))
                if not self._more():
                    return not self._read
        except TimeoutError:
            pass
        return False

    def is_over(self, seconds=PATIENCE):
        """Whether the server closes now, whatever it still says."""
        self.ends(seconds)
        return self._is_closed

    @property
    def rest(self):
        return self._read


def request(method, target, body=b"", headers=(), host="localhost"):
    """A proper request, as a start for improper ones."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def problem_faults(reply, statuses, codes=()):
    """What is wrong with an answer that must be a problem of one of these statuses and codes."""
    if reply.status not in statuses:
        yield f"status {reply.status}, wanted {sorted(statuses)}: {reply!r}"
    if reply.headers.get("content-type") != "application/problem+json":
        yield f"no problem document: {reply!r}"
        return
    try:
        document = json.loads(reply.body)
    except ValueError:
        yield f"a problem that is no JSON: {reply!r}"
        return
    if document.get("status") != reply.status:
        yield f"the document says another status: {document}"
    if document.get("type") != f"urn:ferry:problem:{document.get('code')}":
        yield f"type and code differ: {document}"
    if codes and document.get("code") not in codes:
        yield f"code {document.get('code')}, wanted {sorted(codes)}: {document.get('detail')}"
