"""An SSH host on loopback: it runs the real `git-upload-pack` for whoever has an accepted key, and keeps a log."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh


class SshHost:
    """Serves the bare repositories below `root` for reading, at their paths from there; on a free port.

    accepted: public keys, by user name, as they stand in an `authorized_keys`.
    denied: paths that exist and that nobody may read; the host hides them, as GitHub's does.
    asks_passwords: offer to log in with a password, which is always wrong.
    questions: users that got in, with what they asked for; `passwords`: what was tried; `keys`: how often a key was.
    """

    def __init__(
        self, root: Path, accepted: Mapping[str, str], address: str = "127.0.0.1", **options: Any
    ) -> None:
        self.root, self.accepted, self.address, self.options = root, dict(accepted), address, options
        self.denied: set[str] = set()
        self.asks_passwords = False
        self.questions: list[tuple[str, str]] = []
        self.passwords: list[str] = []
        self.keys = 0
        self.port = 0
        self.new_host_key()
        self._loop = asyncio.new_event_loop()
        self._server: asyncssh.SSHAcceptor | None = None
        self.connections: set[asyncssh.SSHServerConnection] = set()

    def new_host_key(self) -> None:
        """Be another host from the next `start` on, as one that was set up anew."""
        self._key = asyncssh.generate_private_key("ssh-ed25519")

    @property
    def known(self) -> str:
        """The line about the host for a `known_hosts`."""
        return f"[{self.address}]:{self.port} {self._key.export_public_key().decode()}"

    def start(self) -> Self:
        """Answer at the same port as before, if there was one."""

        async def listen() -> asyncssh.SSHAcceptor:
            return await asyncssh.listen(
                self.address,
                self.port,
                server_host_keys=[self._key],
                server_factory=lambda: _Logins(self),
                process_factory=self._serve,
                encoding=None,
                reuse_address=True,
                **self.options,
            )

        self._server = self._loop.run_until_complete(listen())
        self.port = self._server.get_port()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the port and every connection."""
        server, self._server = self._server, None
        if server is None:
            return

        async def close() -> None:
            server.close()
            for connection in [*self.connections]:
                connection.abort()
            await server.wait_closed()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._loop.close()

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        user, command = process.get_extra_info("username"), process.command or ""
        self.questions.append((user, command))
        words = shlex.split(command)
        if words[:1] != ["git-upload-pack"] or len(words) != 2:
            process.stderr.write(b"Hi! There is no shell here.\n")
            process.exit(1)
            return
        path = words[1].lstrip("/")
        if path in self.denied:
            process.stderr.write(b"ERROR: Repository not found.\n")
            process.exit(1)
            return
        git = await asyncio.create_subprocess_exec(
            str(shutil.which("git")),
            "upload-pack",
            str(self.root / path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert git.stderr
        # As sshd does: the end comes once both streams are through.
        await process.redirect(stdin=git.stdin, stdout=git.stdout, send_eof=False)
        process.stderr.write(await git.stderr.read())
        await process.stdout.drain()
        process.exit(await git.wait())


class _Logins(asyncssh.SSHServer):
    def __init__(self, host: SshHost) -> None:
        self.host = host

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self.host.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self.host.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self.host.keys += 1
        given = key.export_public_key().split()[1].decode()
        return given in self.host.accepted.get(username, "")

    def password_auth_supported(self) -> bool:
        return self.host.asks_passwords

    def validate_password(self, username: str, password: str) -> bool:
        self.host.passwords.append(password)
        return False
