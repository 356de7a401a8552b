"""Asking the private index which files it offers: one request a package (PEP 503, PEP 691, PEP 592)."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from http.client import HTTPException, HTTPResponse
from ssl import create_default_context
from typing import IO, TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    Request,
    build_opener,
    getproxies,
    proxy_bypass,
)

from private_packages.credentials import MissingVariables
from private_packages.errors import Failure
from private_packages.findings import LOGIN
from private_packages.git import silence_allowed
from private_packages.machine import Login, certificates, login_of
from private_packages.names import listed, normalised

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.config import Index

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.5, text/html;q=0.2"
# A page of ten thousand files has some 4 MB.
LARGEST_PAGE = 50_000_000


@dataclass(frozen=True)
class OfferedFile:
    """A file that the index offers: its name, its address, the sha256 that the page states, or empty."""

    name: str
    url: str
    sha256: str
    yanked: bool = False

    @property
    def version(self) -> str:
        """The version in the file's name; empty for a file of another kind."""
        return version_in(self.name)


def version_in(name: str) -> str:
    """Return the version in the name of a wheel or a source distribution, or the empty string."""
    if name.endswith(".whl"):
        parts = name.removesuffix(".whl").split("-")
        return parts[1] if len(parts) in (5, 6) else ""
    found = re.fullmatch(r"(.+)-([^-]+)\.(?:tar\.gz|zip|tar\.bz2|tgz)", name)
    return found[2] if found else ""


class NotThere(Failure):
    """The index does not have a package of that name."""


class _Elsewhere(Exception):
    """A redirect that leaves the host."""


class _SameHost(HTTPRedirectHandler):
    """Follows a redirect on the same host, and stops before another one: the login would go there."""

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> Request | None:
        """See `urllib.request.HTTPRedirectHandler`."""
        here, there = urlsplit(req.full_url), urlsplit(newurl)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise _Elsewhere(there.hostname or "another host")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _WithoutLogin(HTTPRedirectHandler):
    """Follows a redirect of a file, which may lie in a store elsewhere, without the login."""

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> Request | None:
        """See `urllib.request.HTTPRedirectHandler`."""
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new is not None:
            new.remove_header("Authorization")
        return new


class _Links(HTMLParser):
    """Collects the files on a page of a simple index (PEP 503)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.files: list[OfferedFile] = []
        self.has_form = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what a link names; `base` moves what links start from (HTML)."""
        given = dict(attrs)
        href = given.get("href")
        self.has_form = self.has_form or tag == "form"
        if tag == "base" and href:
            self.page = urljoin(self.page, href)
        if tag == "a" and href:
            url, fragment = urldefrag(urljoin(self.page, href))
            found = re.fullmatch(r"sha256=([0-9a-f]{64})", fragment)
            self.files.append(
                _offered(url, found[1] if found else "", "data-yanked" in given)
            )


def _offered(url: str, sha256: str, yanked: bool) -> OfferedFile:
    return OfferedFile(
        unquote(urlsplit(url).path.rpartition("/")[2]), url, sha256, yanked
    )


def files_of(app: App, name: str) -> list[OfferedFile]:
    """Return the files that the private index offers under a name.

    Raises `NotThere`, and `Failure` with one clause when the index cannot be asked.
    """
    index = _index(app)
    page = f"{index.address}{normalised(name)}/"
    with _open(app, page) as answer:
        content = _limited(answer, LARGEST_PAGE)
        if "json" in answer.headers.get_content_type():
            return _from_json(content, answer.url, index)
        links = _Links(answer.url)
        links.feed(content.decode("utf-8", "replace"))
        if links.has_form and not any(file.version for file in links.files):
            raise Failure(
                f"{index.host} answers with a page to log in on and not with its files;"
                " look at the address of the index, and log in to the network in a browser"
            )
        return links.files


def sha256_of(app: App, file: OfferedFile) -> str:
    """Return the sha256 that the page states for a file, or that of the file itself. Raises `Failure`."""
    return file.sha256 or download(app, file)


def download(
    app: App, file: OfferedFile, into: IO[bytes] | None = None, most: float = math.inf
) -> str:
    """Read a file of at most so many bytes, and write it into another one; return its sha256. Raises `Failure`."""
    digest = hashlib.sha256()
    size = 0
    try:
        with _open(app, file.url, _WithoutLogin) as answer:
            for chunk in iter(lambda: answer.read(1 << 20), b""):
                digest.update(chunk)
                size += len(chunk)
                if size > most:
                    raise Failure(f"{file.name} is larger than any package")
                if into:
                    into.write(chunk)
            _refuse_a_part(answer)
    except (OSError, HTTPException) as error:
        raise Failure(
            f"the connection to the index broke in the middle of {file.name} ({error}); try again"
        ) from error
    return digest.hexdigest()


def _index(app: App) -> Index:
    if app.config.index is None:
        raise Failure("this app has no private index")
    return app.config.index


def _open(
    app: App, url: str, redirects: type[HTTPRedirectHandler] = _SameHost
) -> HTTPResponse:
    """Ask the index, with its own login where the address is on its host."""
    index = _index(app)
    headers = {"Accept": ACCEPT, "User-Agent": "private-packages"}
    known: Login | None = None
    if urlsplit(url).netloc == index.host:
        try:
            known = login_of(index, app.environ)
        except MissingVariables as error:
            raise Failure(f"{error}; type `{LOGIN}`") from error
        if known:
            pair = f"{known.user}:{known.password}".encode("utf-8", "surrogateescape")
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode('ascii')}"
    request = Request(url, headers=headers)
    try:
        trusted = create_default_context(cafile=certificates(app.environ) or None)
        opener = build_opener(redirects, HTTPSHandler(context=trusted))
        answer: HTTPResponse = opener.open(
            request, timeout=silence_allowed(app.environ)
        )
        return answer
    except _Elsewhere as error:
        raise NotThere(
            f"{index.host} does not have it and sends the question on to {error}; publish it there, or correct its name"
        ) from None
    except HTTPError as error:
        error.close()
        raise _refusal(error.code, index, known) from None
    except (OSError, HTTPException) as error:
        reason = str(getattr(error, "reason", error))
        if "Tunnel connection failed: 407" in reason:
            raise _refusal(407, index, known) from None
        proxy = _proxy_to(url)
        what = f"{index.host} does not answer ({reason}); try again when it is up"
        if proxy:
            what = (
                f"{index.host} cannot be reached through the proxy {proxy} ({reason});"
                " see whether both are up, or correct HTTPS_PROXY"
            )
        raise Failure(what) from None


def _proxy_to(url: str) -> str:
    """Return the proxy through which an address is asked, without its login, or the empty string."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme, "")
    if not proxy or proxy_bypass(parts.netloc):
        return ""
    return proxy.rpartition("://")[2].rpartition("@")[2].rstrip("/")


def _refusal(status: int, index: Index, known: Login | None) -> Failure:
    """Return what an HTTP status of the index means, where this login was sent."""
    if status == 404:
        return NotThere(
            f"{index.host} does not have it (404); publish it there, or correct its name"
        )
    if status in (401, 403):
        if known is None:
            return Failure(
                f"{index.host} wants a login ({status}), and none is in the address of the index or in ~/.netrc; write"
                " it into ~/.netrc, or set UV_KEYRING_PROVIDER to subprocess where the program `keyring` knows it"
            )
        again = "".join(f" --again {name}" for name in index.variables)
        names = listed(index.variables) or known.kept_in
        cure = f"set a valid one with `{LOGIN}{again}`" if again else "correct it there"
        return Failure(
            f"{index.host} refuses the login from {names} ({status}); {cure}"
        )
    if status == 407:
        return Failure(
            f"the proxy on the way to {index.host} wants a login (407); set it in the proxy's address"
        )
    return Failure(f"{index.host} answers with {status}; try again when it works")


def _refuse_a_part(answer: HTTPResponse) -> None:
    """Raise HTTPException when less came than was announced: `read` with a size takes that for the end."""
    if answer.length:
        raise HTTPException(f"{answer.length} bytes are missing")


def _limited(answer: HTTPResponse, most: int) -> bytes:
    try:
        content = answer.read(most + 1)
        if len(content) <= most:
            _refuse_a_part(answer)
    except (OSError, HTTPException) as error:
        raise Failure(
            f"the connection to the index broke in the middle ({error}); try again"
        ) from error
    if len(content) > most:
        raise Failure("the index answers with more than a page of files can have")
    return content


def _from_json(content: bytes, page: str, index: Index) -> list[OfferedFile]:
    """Return the files of a page in JSON (PEP 691)."""
    try:
        files = json.loads(content)["files"]
        found = []
        for one in files:
            sha256 = str(one.get("hashes", {}).get("sha256", ""))
            sha256 = sha256 if re.fullmatch(r"[0-9a-f]{64}", sha256) else ""
            offered = _offered(
                urldefrag(urljoin(page, one["url"]))[0], sha256, bool(one.get("yanked"))
            )
            found.append(
                OfferedFile(str(one["filename"]), offered.url, sha256, offered.yanked)
            )
        return found
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Failure(
            f"{index.host} answers with JSON that is no page of an index"
        ) from error
