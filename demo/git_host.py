"""A Git host on loopback: smart HTTP by `git http-backend`, with tokens, a request log and faults."""

import hmac
import io
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

from demo.git import git_environment, run_git
from demo.http_host import HttpHost, credentials, plain_answer

ORGANISATION = "acme"


class GitHost(HttpHost):
    """Serves the bare repositories `<root>/acme/<name>.git` for reading and pushing.

    Any user name goes with the right token, as on GitHub. `tokens` holds the token of single repositories that
    have one of their own; None there makes a repository public. Both may change while the host runs.
    """

    def __init__(self, root: Path, token: str, *, certificate: Path | None = None) -> None:
        """Raise RuntimeError when Git was installed without `git-http-backend`."""
        super().__init__(certificate)
        self.root = root
        self.token = token
        self.tokens: dict[str, str | None] = {}
        self._backend = _http_backend()

    def url_of(self, name: str) -> str:
        """Return the address from which a repository is cloned, without credentials."""
        return f"{self.url}/{ORGANISATION}/{name}.git"

    def path_of(self, name: str) -> Path:
        """Return the folder of a bare repository."""
        return self.root / ORGANISATION / f"{name}.git"

    def name_of(self, path: str) -> str:
        """Return the repository's name in `/acme/<name>.git/...`."""
        found = re.match(rf"/{ORGANISATION}/([^/]+)\.git(/|$)", path)
        return found[1] if found else ""

    def secrets(self) -> set[str]:
        """Return every token that opens something here."""
        return {self.token} | {token for token in self.tokens.values() if token}

    def application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Check the token, then let `git http-backend` answer (CGI, RFC 3875)."""
        given = credentials(environ)
        wanted = self.tokens.get(self.name_of(environ["PATH_INFO"]), self.token)
        if wanted is not None and not (given and hmac.compare_digest(given[1].encode(), wanted.encode())):
            return plain_answer(start_response, 401)
        process = subprocess.Popen(
            [self._backend],
            stdin=environ["wsgi.input"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._cgi_environment(environ, given[0] if given else ""),
        )
        body = _Body(process)
        headers = dict(body.headers())
        start_response(headers.pop("Status", "200 OK"), list(headers.items()))
        return body

    def _cgi_environment(self, environ: WSGIEnvironment, user: str) -> dict[str, str]:
        request = {name: value for name, value in environ.items() if name in _CGI_VARIABLES}
        return {
            **git_environment(),
            **request,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "HTTP_CONTENT_ENCODING": environ.get("HTTP_CONTENT_ENCODING", ""),
            "GIT_PROTOCOL": environ.get("HTTP_GIT_PROTOCOL", ""),
            # A user's name is what allows a push.
            "REMOTE_USER": user,
            # Hosts offer partial clones, and pip asks for one.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "uploadpack.allowFilter",
            "GIT_CONFIG_VALUE_0": "true",
        }


_CGI_VARIABLES = (
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "PATH_INFO",
    "QUERY_STRING",
    "REMOTE_ADDR",
    "REQUEST_METHOD",
    "SERVER_PROTOCOL",
)


class _Body:
    """What a CGI process prints: headers, then the body in the pieces in which they come."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert isinstance(process.stdout, io.BufferedReader)
        self._output = process.stdout

    def headers(self) -> Iterator[tuple[str, str]]:
        while line := self._output.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            yield name, value.strip()

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._output.read1(65536):
            yield piece

    def close(self) -> None:
        # Nobody reads any more: the backend and its children end by the broken pipe.
        self._output.close()
        self._process.wait()


def _http_backend() -> str:
    folder = run_git("--exec-path")
    found = shutil.which("git-http-backend", path=folder)
    if found is None:
        raise RuntimeError(f"Git's http-backend is not in {folder}: install the full Git package.")
    return found
