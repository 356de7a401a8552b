"""A forward proxy on loopback: it leads the names of a company's hosts to servers of the tests and no other name anywhere."""

from __future__ import annotations

import contextlib
import socket
import threading
from socketserver import BaseRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Self


class Proxy(ThreadingTCPServer):
    """Answers CONNECT (RFC 9110, 9.3.6) for port 443 of the names in `ports`; `refused` lists what else was asked for.

    With it programs meet a host under a real name without a port, which nobody may bind, and cannot leave loopback.
    """

    daemon_threads = True

    def __init__(self, ports: dict[str, int]) -> None:
        self.ports = {f"{name}:443": port for name, port in ports.items()}
        self.refused: list[str] = []
        super().__init__(("127.0.0.1", 0), _Tunnel)

    @property
    def url(self) -> str:
        """The proxy's address, for HTTPS_PROXY and HTTP_PROXY."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()


class _Tunnel(BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        with self.request.makefile("rb", buffering=0) as head:
            method, target, *_ = head.readline().decode("latin-1").split()
            while head.readline().strip():
                pass
        port = self.server.ports.get(target) if method == "CONNECT" else None
        if port is None:
            self.server.refused.append(target)
            self.request.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", port)) as there:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(there, self.request), daemon=True)
            back.start()
            _pump(self.request, there)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
