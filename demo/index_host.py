"""A package index on loopback: pypiserver, with accounts, a request log, faults and real uploads."""

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pypiserver
import uv
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from passlib.apache import HtpasswdFile
from pypiserver.config import DEFAULTS

from demo.http_host import HttpHost


class IndexHost(HttpHost):
    """Serves and takes the wheels in a folder; the simple index is at `<url>/simple/`.

    With `user` and `password` nothing goes without them, and names that the index does not hold are redirected to
    the public index: the one in PIP_INDEX_URL or UV_DEFAULT_INDEX, else pypiserver's default. Without
    them the host plays a public index: open to everybody, and complete in itself (404 for other names).
    """

    def __init__(
        self, folder: Path, user: str = "", password: str = "", *, certificate: Path | None = None
    ) -> None:
        super().__init__(certificate)
        self.folder = folder
        self.user = user
        self._password = password
        self._application = _application(folder, user, password)

    @property
    def simple_url(self) -> str:
        """The address for pip and uv, without credentials."""
        return f"{self.url}/simple/"

    def name_of(self, path: str) -> str:
        """Return the normalised project name in `/simple/<name>/` and `/packages/<file>`."""
        found = re.match(r"/(simple|packages)/([^/]+)", path)
        if found is None:
            return ""
        if found[1] == "simple":
            return canonicalize_name(found[2])
        try:
            return parse_wheel_filename(found[2])[0]
        except InvalidWheelFilename:
            return ""

    def secrets(self) -> set[str]:
        """Return the password, if there is one."""
        return {self._password} - {""}

    def application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Let pypiserver answer. It says 401 without credentials and 403 with wrong ones."""
        return self._application(environ, start_response)

    def publish(self, *wheels: Path) -> None:
        """Upload wheels with `uv publish`, with the host's own account.

        Raises RuntimeError with uv's message when the index refuses one.
        """
        command = [uv.find_uv_bin(), "publish", "--trusted-publishing", "never", "--no-config"]
        account = ["--publish-url", f"{self.url}/", "--username", self.user or "anybody"]
        done = subprocess.run(
            [*command, *account, *wheels],
            env=os.environ | {"UV_PUBLISH_PASSWORD": self._password or "any"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"uv publish failed: {done.stderr.strip()}")


def _application(folder: Path, user: str, password: str) -> WSGIApplication:
    accounts = HtpasswdFile()
    if user:
        accounts.set_password(user, password)
    fallback = os.environ.get("PIP_INDEX_URL") or os.environ.get("UV_DEFAULT_INDEX") or DEFAULTS.FALLBACK_URL
    application: WSGIApplication = pypiserver.app(
        roots=[folder],
        backend_arg="simple-dir",
        authenticate=["update", "download", "list"] if user else [],
        auther=accounts.check_password if user else _anybody,
        disable_fallback=not user,
        fallback_url=fallback,
    )
    return application


def _anybody(user: str, password: str) -> bool:
    return True
