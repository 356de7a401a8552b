"""Both loopback hosts, filled with the sample packages: everything a private package needs, without an account."""

import secrets
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.git_host import ORGANISATION, GitHost
from demo.index_host import IndexHost
from demo.samples import SAMPLES, build_wheels, make_samples

TOKEN_USER = "x-access-token"


def git_line(host: GitHost, name: str, ref: str = "") -> str:
    """Return the requirement of a host's repository at a tag, branch or commit; without one, at its default branch."""
    url = host.url_of(name).replace("://", f"://{TOKEN_USER}:${{ACME_TOKEN}}@", 1)
    return f"{name} @ git+{url}" + (f"@{ref}" if ref else "")


# acme-beams needs acme-units, so an app always gets both; each strategy has one package it suits best.
_BEST = {
    "acme-beams": ("submodule", "git", "index"),
    "acme-loads": ("git", "index", "submodule"),
    "acme-units": ("index", "git", "submodule"),
}


class DemoHosts:
    """A Git host and a package index with new secrets, in a temporary folder, between `with` and its end.

    git, index: the two hosts, with their logs and faults.
    variables: the environment variables that the lines below name, with their values.
    folder: the temporary folder; it goes with everything in it.
    """

    folder: Path
    git: GitHost
    index: IndexHost

    def __init__(self) -> None:
        self.variables = {
            "ACME_TOKEN": secrets.token_urlsafe(24),
            "ACME_USER": f"demo-{secrets.token_hex(4)}",
            "ACME_PASSWORD": secrets.token_urlsafe(24),
        }
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Make the repositories, build the wheels, start the hosts and publish.

        Raises RuntimeError when a wheel can't be built or published; nothing is left behind then.
        """
        with ExitStack() as open_:
            self.folder = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="acme-demo-")))
            repositories, index, wheels = (
                self._new_folder(name) for name in (f"git/{ORGANISATION}", "index", "wheels")
            )
            with ThreadPoolExecutor() as pool:
                samples = pool.submit(make_samples, repositories)
                built = build_wheels(wheels)
                samples.result()
            self.git = GitHost(repositories.parent, self.variables["ACME_TOKEN"])
            self.index = IndexHost(index, self.variables["ACME_USER"], self.variables["ACME_PASSWORD"])
            open_.enter_context(self.git)
            open_.enter_context(self.index)
            self.index.publish(*built)
            self.index.clear()
            self._open = open_.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def _new_folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True)
        return folder

    @property
    def git_url(self) -> str:
        """The Git host's address, without a trailing slash."""
        return self.git.url

    @property
    def index_url(self) -> str:
        """The simple index's address, without credentials."""
        return self.index.simple_url

    def git_line(self, name: str, ref: str | None = None) -> str:
        """Return the requirement of a repository at a tag, branch or commit; None is the newest release."""
        return git_line(self.git, name, ref or SAMPLES[name].tag)

    def submodule_lines(self, *names: str) -> list[str]:
        """Return lines for the answer `submodule_packages`; without names, of all sample packages."""
        return [self.git_line(name) for name in names or SAMPLES]

    def git_lines(self, *names: str) -> list[str]:
        """Return lines for the answer `git_packages`; without names, of all sample packages."""
        return [self.git_line(name) for name in names or SAMPLES]

    def index_lines(self, *names: str) -> list[str]:
        """Return lines for the answer `index_packages`; without names, of all sample packages."""
        return [f"{name}=={SAMPLES[name].versions[-1]}" for name in names or SAMPLES]

    def index_answer(self) -> str:
        """Return the answer `index_url`, with the variables for user and password."""
        return self.index_url.replace("://", "://${ACME_USER}:${ACME_PASSWORD}@")

    def answers(self, *strategies: str) -> dict[str, str | list[str]]:
        """Return the answers about packages for an app that gets all sample packages by these strategies.

        Each package takes the one that suits it best of `submodule`, `git` and `index`; `mixed` stands for all three.
        Raises ValueError for any other word.
        """
        lines = {"submodule": self.submodule_lines, "git": self.git_lines, "index": self.index_lines}
        unknown = set(strategies) - set(lines) - {"mixed"}
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))}: no strategy of that name.")
        chosen = [strategy for strategy in lines if strategy in strategies or "mixed" in strategies]
        answers: dict[str, str | list[str]] = {"strategies": chosen}
        for strategy in chosen:
            names = [name for name, best in _BEST.items() if strategy == next(s for s in best if s in chosen)]
            answers[f"{strategy}_packages"] = "\n".join(lines[strategy](*names))
        if "index" in chosen:
            answers["index_url"] = self.index_answer()
        return answers
