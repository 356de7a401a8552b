"""A GitLab on loopback, as far as Renovate goes to it: repositories with branches, and merge requests about them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from demo.git_host import ORGANISATION, GitHost
from demo.http_host import plain_answer

API = "/api/v4/"


class GitLab(GitHost):
    """The Git host with the API (https://docs.gitlab.com/api/rest/) for a bot with a token of its own.

    projects: the names of the repositories that the bot works on. merge_requests: what it has opened there, with the
    comments that it wrote.
    """

    def __init__(self, root: Path, token: str, bot_token: str, address: str, *, certificate: Path) -> None:
        super().__init__(root, token, certificate=certificate)
        self.bot_token = bot_token
        self.address = address
        self.projects: list[str] = []
        self.merge_requests: list[dict[str, Any]] = []

    def admit_bot(self, name: str) -> None:
        """Let the bot work on this repository alone, and forget what it has opened elsewhere."""
        self.projects = [name]
        self.merge_requests = []
        self.tokens[name] = self.bot_token

    def application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the API, or let the Git host answer."""
        path = environ["PATH_INFO"]
        if not path.startswith(API):
            return super().application(environ, start_response)
        if environ.get("HTTP_AUTHORIZATION") != f"Bearer {self.bot_token}":
            return plain_answer(start_response, 401)
        method = environ["REQUEST_METHOD"]
        body = environ["wsgi.input"].read()
        found = self._answer(method, path.removeprefix(API), json.loads(body) if body else {})
        if found is None:
            return plain_answer(start_response, 404)
        content = json.dumps(found).encode()
        status = "201 Created" if method == "POST" else "200 OK"
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
        start_response(status, headers)
        return [content]

    def _answer(self, method: str, path: str, body: dict[str, Any]) -> Any:
        if path == "user":
            return {"name": "bot", "email": "bot@localhost.invalid"}
        if path == "version":
            return {"version": "18.5.0"}
        if path == "projects":
            return [self._project(name) for name in self.projects]
        about = re.fullmatch(rf"projects/{ORGANISATION}/([^/]+)(?:/(.+))?", path)
        if about is None or about[1] not in self.projects:
            return None
        if about[2] is None:
            return self._project(about[1])
        request = re.fullmatch(r"merge_requests(?:/(\d+)(/notes)?)?", about[2])
        if request is None:
            # Statuses and issues: nothing is there, and whatever is sent is taken.
            return [] if method == "GET" else {}
        if not request[1] and method == "GET":
            return self.merge_requests
        if not request[1]:
            body |= {"iid": len(self.merge_requests) + 1, "state": "opened", "comments": []}
            body |= dict.fromkeys(("created_at", "updated_at"), "2026-01-01T00:00:00Z")
            self.merge_requests.append(body)
            return body
        mine = self.merge_requests[int(request[1]) - 1]
        if request[2]:
            if method == "POST":
                mine["comments"].append(body["body"])
            return [{"id": number, "body": text} for number, text in enumerate(mine["comments"])]
        mine |= body
        return mine

    def _project(self, name: str) -> dict[str, Any]:
        full = f"{ORGANISATION}/{name}"
        return {
            "id": self.projects.index(name) + 1,
            "path_with_namespace": full,
            "http_url_to_repo": f"https://{self.address}/{full}.git",
            "default_branch": "main",
        }
