"""A Git host that keeps large files, as Git LFS knows them, and demands the login for each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

from demo.git_host import GitHost
from demo.http_host import credentials, plain_answer

_JSON = "application/vnd.git-lfs+json"


class LfsHost(GitHost):
    """A Git host with Git LFS (its API, "Batch" and "Basic Transfers"): whoever may read a repository may read its large files.

    files: their content by sha256. lfs_token: what opens these files, where it is another than that of the repositories.
    """

    def __init__(self, root: Path, token: str) -> None:
        super().__init__(root, token)
        self.files: dict[str, bytes] = {}
        self.lfs_token: str | None = None

    def keep(self, content: bytes) -> str:
        """Keep a large file; return the pointer that stands for it in Git."""
        digest = hashlib.sha256(content).hexdigest()
        self.files[digest] = content
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"

    def application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer what git-lfs asks, and leave the rest to Git."""
        path = environ["PATH_INFO"]
        if "/info/lfs/" not in path:
            return super().application(environ, start_response)
        wanted, given = self.lfs_token or self.token, credentials(environ)
        if given is None or given[1] != wanted:
            return plain_answer(start_response, 401, ("LFS-Authenticate", 'Basic realm="demo"'))
        if path.endswith("/objects/batch") and environ["REQUEST_METHOD"] == "POST":
            asked = json.loads(environ["wsgi.input"].read())
            here = f"{self.url}{path.removesuffix('/batch')}"
            text = json.dumps(
                {"transfer": "basic", "objects": [self._one(here, one) for one in asked["objects"]]}
            ).encode()
            start_response("200 OK", [("Content-Type", _JSON), ("Content-Length", str(len(text)))])
            return [text]
        content = self.files.get(path.rpartition("/")[2])
        if content is None:
            return plain_answer(start_response, 404)
        start_response("200 OK", [("Content-Length", str(len(content)))])
        return [content]

    def _one(self, here: str, asked: dict[str, object]) -> dict[str, object]:
        if asked["oid"] not in self.files:
            return {**asked, "error": {"code": 404, "message": "Object does not exist"}}
        return {**asked, "actions": {"download": {"href": f"{here}/{asked['oid']}"}}}
