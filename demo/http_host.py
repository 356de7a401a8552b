"""What both loopback hosts share: an HTTP/1.1 server for one WSGI application, its request log, its faults."""

import base64
import binascii
import contextlib
import http.client
import socket
import ssl
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import IO, Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

_CHUNK = 65536


@dataclass(frozen=True)
class Request:
    """One request: method, path without the query, status of the answer, user name of the credentials.

    The status is 0 where the host never answered; the user is empty where the request carried none.
    """

    method: str
    path: str
    status: int
    user: str


@dataclass(frozen=True)
class Faults:
    """What a host does wrong on purpose. At most one field beside `delay` takes effect, the first one set.

    delay: seconds before each answer.
    hang: read the request and never answer.
    status: answer with this HTTP status and nothing else.
    redirect_to: send the client (307) to the same path below this URL, which has no trailing slash.
    stall_after: send so many bytes of a body, then hold the connection open.
    cut_after: send so many bytes of a body, then close the connection.
    truncate_after: send so many bytes of a body and end the answer as if that were all.
    """

    delay: float = 0.0
    hang: bool = False
    status: int | None = None
    redirect_to: str | None = None
    stall_after: int | None = None
    cut_after: int | None = None
    truncate_after: int | None = None


def credentials(environ: WSGIEnvironment) -> tuple[str, str] | None:
    """Return user and password of a request's Basic authorization (RFC 7617), None where it has none."""
    scheme, _, encoded = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None


def plain_answer(start_response: StartResponse, status: int, *headers: tuple[str, str]) -> Iterable[bytes]:
    """Answer with a status and its name as text; 401 asks for Basic credentials (RFC 9110, 11.6.1)."""
    line = f"{status} {http.client.responses.get(status, 'Unknown')}"
    text = f"{line}\n".encode()
    challenge = [("WWW-Authenticate", 'Basic realm="demo"')] if status == 401 else []
    about = [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))]
    start_response(line, [*about, *challenge, *headers])
    return [text]


class HttpHost(ABC):
    """A server on a free port of 127.0.0.1, from `start` to `stop` or as a context manager.

    faults: what goes wrong with every request; faults_of: the same for one name, instead of `faults`.
    headers: what is added to every answer, such as `("Vary", "Authorization")`.
    certificate: a file with a key and a certificate in PEM; with it the host speaks HTTPS only.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.faults = Faults()
        self.faults_of: dict[str, Faults] = {}
        self.headers: list[tuple[str, str]] = []
        self.certificate = certificate
        self._requests: list[Request] = []
        self._lock = threading.Lock()
        self._port = 0
        self._server: _Server | None = None
        self._thread = threading.Thread()
        self.stopping = threading.Event()

    @abstractmethod
    def application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (WSGI, PEP 3333)."""

    @abstractmethod
    def name_of(self, path: str) -> str:
        """Return the name of the repository or project that a URL's path is about, empty where none is."""

    @abstractmethod
    def secrets(self) -> set[str]:
        """Return what the log must not hold."""

    @property
    def url(self) -> str:
        """The host's address without a trailing slash; it stays the same after `stop` and `start`."""
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self._port}"

    @property
    def requests(self) -> list[Request]:
        """A copy of the log, oldest request first. Secrets of the host are masked."""
        with self._lock:
            return list(self._requests)

    def requests_of(self, name: str) -> list[Request]:
        """Return the requests about one repository or project, oldest first."""
        return [request for request in self.requests if self.name_of(request.path) == name]

    def clear(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self._requests.clear()

    def record(self, environ: WSGIEnvironment, status: int) -> None:
        """Add a request to the log."""
        path, user = environ["PATH_INFO"], (credentials(environ) or ("", ""))[0]
        with self._lock:
            # A lone token before a host arrives as the user name.
            for secret in self.secrets():
                path, user = path.replace(secret, "***"), user.replace(secret, "***")
            self._requests.append(Request(environ["REQUEST_METHOD"], path, status, user))

    def start(self) -> Self:
        """Serve in the background until `stop`. Raises OSError when an earlier port is taken by now."""
        if self._server is None:
            self.stopping.clear()
            self._server = _Server(self, self._port)
            self._port = self._server.server_port
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
            self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection, stalled ones included, and wait for all threads. The port then refuses."""
        server, self._server = self._server, None
        if server is not None:
            self.stopping.set()
            server.shutdown()
            server.close_connections()
            server.server_close()
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingMixIn, WSGIServer):
    request_queue_size = 128

    def __init__(self, host: HttpHost, port: int) -> None:
        self.host = host
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None
        if host.certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(host.certificate)
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own looks the name up, which takes seconds on some machines.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]
        self.setup_environ()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self._tls:
            # The handshake waits for the connection's own thread: a silent client must not block the others.
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that goes away, or does not trust the certificate, is no error of the host's.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = _CHUNK
    server: _Server

    # WSGIRequestHandler's own closes the connection after one request.
    handle = BaseHTTPRequestHandler.handle

    def do_GET(self) -> None:  # noqa: N802
        """Answer the request; the other methods are the same."""
        host, environ = self.server.host, self.get_environ()
        faults = host.faults_of.get(host.name_of(environ["PATH_INFO"]), host.faults)
        with tempfile.TemporaryFile() as body:
            self._read_body(body)
            environ["CONTENT_LENGTH"] = str(body.tell())
            body.seek(0)
            if host.stopping.wait(faults.delay) or faults.hang:
                host.record(environ, 0)
                host.stopping.wait()
                self.close_connection = True
                return
            environ |= {
                "wsgi.version": (1, 0),
                "wsgi.url_scheme": host.url.partition(":")[0],
                "wsgi.input": body,
                "wsgi.errors": sys.stderr,
                "wsgi.multithread": True,
                "wsgi.multiprocess": False,
                "wsgi.run_once": False,
            }
            self._answer(environ, faults)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: `HttpHost.requests` is the log."""

    def _read_body(self, body: IO[bytes]) -> None:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            self._copy(body, int(self.headers.get("Content-Length", 0)))
            return
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            self._copy(body, size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _copy(self, body: IO[bytes], size: int) -> None:
        while size:
            data = self.rfile.read(min(size, _CHUNK))
            if not data:
                raise ConnectionError("The client closed the connection in the middle of a request.")
            body.write(data)
            size -= len(data)

    def _answer(self, environ: WSGIEnvironment, faults: Faults) -> None:
        host = self.server.host
        answer = _Answer()
        if faults.status is not None:
            parts = plain_answer(answer, faults.status)
        elif faults.redirect_to is not None:
            parts = plain_answer(answer, 307, ("Location", faults.redirect_to + self.path))
        else:
            parts = host.application(environ, answer)
        try:
            host.record(environ, int(answer.status.split()[0]))
            self._send(answer, parts, faults)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()

    def _send(self, answer: "_Answer", parts: Iterable[bytes], faults: Faults) -> None:
        limits = (faults.stall_after, faults.cut_after, faults.truncate_after)
        limit = next((limit for limit in limits if limit is not None), sys.maxsize)
        names = {name.lower() for name, _ in answer.headers}
        bodiless = self.command == "HEAD" or answer.status[:3] in ("204", "304")
        chunked = not bodiless and ("content-length" not in names or faults.truncate_after is not None)

        code, _, reason = answer.status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in [*answer.headers, *self.server.host.headers]:
            if not (chunked and name.lower() == "content-length"):
                self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

        for part in parts if not bodiless else ():
            data = part[:limit]
            if data:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
                self.wfile.flush()
            limit -= len(data)
            if len(data) < len(part):
                if faults.truncate_after is None:
                    self._break_off(hold=faults.stall_after is not None)
                    return
                break
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _break_off(self, *, hold: bool) -> None:
        self.wfile.flush()
        if hold:
            self.server.host.stopping.wait()
        self.close_connection = True


class _Answer:
    """The `start_response` of one request, which remembers what it was called with."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
        self.status, self.headers = status, headers
