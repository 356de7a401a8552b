"""Fetching one package and putting it in place. Safe to run for many at once.

`fetch` asks the server and changes nothing that stands: a new clone is made whole in a scratch folder, an
existing repository gets the new commits. `put_in_place` asks nobody. So all packages can be fetched before
any is switched, and a killed run leaves nothing that a later one could mistake for a repository.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages import large_files, remote
from private_packages.diagnosis import is_missing_ref
from private_packages.errors import Failure, GitError
from private_packages.files import read_text, remove, rename, write_text
from private_packages.git import quoted
from private_packages.repository import IN_MODULE, Repository
from private_packages.submodules.gitdir import (
    head_of,
    relative_path,
    take_away,
    write_link,
)
from private_packages.submodules.plan import (
    OURS,
    Add,
    Fetching,
    Module,
    Move,
    Populate,
    Replace,
    Wanted,
)
from private_packages.submodules.state import (
    JOURNAL,
    Settings,
    has_files,
    read_module,
)
from private_packages.submodules.work import edited_in_half, in_the_way, work_in

if TYPE_CHECKING:
    from private_packages.app import App

# What may be a commit: `git clone --branch` does not find one.
_LIKE_A_COMMIT = re.compile(r"[0-9a-f]{7,64}")
# For a clone alone, so nothing of it is written down: where new files are slow, many small ones take longer than
# their bytes do.
_CLONING = (
    "-c",
    "fetch.unpackLimit=1",
    "-c",
    "core.logAllRefUpdates=false",
)
# What installers leave in a submodule; in Git's own list of ignored files its status stays clean.
_EXCLUDED = "*.egg-info/\nbuild/\ndist/\n*.so\n*.pyd\n__pycache__/\n"

PutInPlace = Callable[[], str]


class NotDone(Exception):
    """A package could not be put in place; the message is cause and cure in one clause."""


@dataclass(frozen=True)
class Fetcher:
    """What every fetch of one run shares; ``fetched`` are the lock's commits by path."""

    app: App
    repository: Repository
    settings: Settings
    fetched: Mapping[str, str]

    def fetch(self, action: Fetching) -> PutInPlace:
        """Ask the server for one package; return what puts it in place and returns its commit.

        Both raise `NotDone`, `GitError` and OSError.
        """
        one = action.wanted
        folder = self.repository.top / one.path
        if (
            isinstance(action, Add | Populate)
            and has_files(folder)
            and not self._is_ours(one)
        ):
            raise NotDone(
                f"{one.path} holds files that are no submodule; move them away"
            )
        match action:
            case Add(_, commit):
                self._refuse_work(
                    one,
                    "another repository is wanted for it" if folder.exists() else "",
                )
                return self._clone_at(one, commit or one.package.ref)
            case Populate(_, commit, False):
                if (folder / ".git").is_file():
                    self._refuse_work(one, "another commit is pinned", stays=True)
                    self._get(one, commit)
                    self._refuse_in_the_way(one, commit)
                return lambda: self._checkout(one, commit)
            case Populate(_, commit, True):
                if (self.repository.module(one.path) / JOURNAL).exists():
                    # The repository is whole; what Git does not know beside the package's files stays.
                    self._get(one, commit)
                    self._refuse_work(one, "its checkout broke off", goes_to=commit)
                    return lambda: self._checkout(one, commit)
                self._refuse_work(one, "its checkout broke off")
                return self._clone_at(one, commit)
            case Replace(_, keep) if keep:
                self._refuse_work(one, "another address is wanted")
                return self._clone_keeping(one, keep)
            case Move() if self.repository.module(one.path).is_dir():
                why = "another ref is wanted"
                if (self.repository.module(one.path) / JOURNAL).exists():
                    commit = self._fetch_into(one)
                    self._refuse_work(one, why, goes_to=commit)
                    return lambda: self._checkout(one, commit)
                whole = read_module(self.repository, one.path) is Module.READY
                self._refuse_work(one, why, stays=whole)
                commit = self._fetch_into(one)
                if whole:
                    self._refuse_in_the_way(one, commit)
                return lambda: self._checkout(one, commit)
        self._refuse_work(one, "another ref is wanted")
        return self._clone_at(one, one.package.ref)

    def _refuse_work(
        self, one: Wanted, why: str, *, stays: bool = False, goes_to: str = ""
    ) -> None:
        if not self.repository.module(one.path).exists() and not has_files(
            self.repository.top / one.path
        ):
            return
        changed = edited_in_half(self.repository, one.path, goes_to)
        if changed:
            raise NotDone(
                f"its checkout broke off, and {one.path}/{changed} is not as Git left it;"
                " move that file away, so that the checkout can be finished"
            )
        fetched = self.fetched.get(one.path, "")
        work = work_in(self.repository, one.path, fetched, stays=stays)
        if work:
            raise NotDone(
                f"it holds {work}, so it stays as it is although {why or 'it has to be fetched again'};"
                " push or discard them"
            )

    def _refuse_in_the_way(self, one: Wanted, commit: str) -> None:
        """Git carries files that it does not know over to another commit, but one that has such a file itself."""
        if not (self.repository.top / one.path / ".git").is_file():
            return
        name = in_the_way(self.repository, one.path, commit)
        if name:
            raise NotDone(
                f"{one.path}/{name} is not in Git, and {one.package.ref or commit[:10]} brings a file of that name;"
                " move yours away"
            )

    def _is_ours(self, one: Wanted) -> bool:
        folder = self.repository.top / one.path
        return (folder / ".git").is_file() and self.repository.module(one.path).is_dir()

    def _ask(self, one: Wanted, *arguments: str, cwd: Path) -> None:
        try:
            remote.ask(self.app, one.package, *arguments, cwd=cwd)
        except Failure as error:
            raise NotDone(str(error)) from error.__cause__

    def _protocol(self) -> tuple[str, ...]:
        """Options of Git for a transfer that asks for refs by name (gitprotocol-http(5), gitprotocol-v2(5)).

        Protocol 2 asks what refs there are with a request of its own. That pays off where a host would list many
        thousands that are neither branches nor tags; who has such packages sets `protocol.version`.
        """
        return () if self.settings.has_protocol else ("-c", "protocol.version=0")

    def _fetch_into(self, one: Wanted) -> str:
        """Get what is new into an existing repository; return the commit of the wanted ref."""
        self._fetch_refs(one)
        module = self.repository.module(one.path)
        commit = self._resolve(one, one.package.ref, module)
        return self._fetch_large(one, commit, module)

    def _fetch_refs(self, one: Wanted) -> None:
        fetch = (
            *IN_MODULE,
            *self._protocol(),
            "fetch",
            "--progress",
            "--tags",
            "--force",
            "origin",
        )
        self._ask(one, *fetch, cwd=self.repository.module(one.path))

    def _get(self, one: Wanted, commit: str) -> None:
        """See to it that an existing repository has a commit, which may come from a new address."""
        module = self.repository.module(one.path)
        asked = f"{commit}^{{commit}}\n"
        known = self.repository.in_module(
            one.path, "cat-file", "--batch-check=%(objectname)", stdin=asked
        )
        if " " in known:
            url = one.package.url
            self.repository.in_module(one.path, "config", "remote.origin.url", url)
            self._fetch_refs(one)
            self._resolve(one, commit, module)
        self._fetch_large(one, commit, module)

    def _clone_at(self, one: Wanted, ref: str) -> PutInPlace:
        """Clone with a ref checked out, beside."""
        beside = (
            None if _LIKE_A_COMMIT.fullmatch(ref) else self._clone_with_files(one, ref)
        )
        if beside is not None:
            whole = beside
            self._fetch_large(one, "HEAD", whole)
            _detach(whole / ".git")
            return lambda: self._install_with_files(one, whole)
        beside = self._clone_beside(one, "--no-checkout")
        commit = self._resolve(one, ref, beside / ".git")
        self._fetch_large(one, commit, beside)
        return lambda: self._install_and_check_out(one, beside, commit)

    def _clone_keeping(self, one: Wanted, commit: str) -> PutInPlace:
        """Clone another address, to stay at the commit where that has it, or else at the wanted ref."""
        beside = self._clone_beside(one, "--no-checkout")
        try:
            kept = self._resolve(one, commit, beside / ".git")
        except NotDone:
            kept = self._resolve(one, one.package.ref, beside / ".git")
        self._fetch_large(one, kept, beside)
        return lambda: self._install_and_check_out(one, beside, kept)

    def _clone_with_files(self, one: Wanted, ref: str) -> Path | None:
        """Clone with the branch or tag checked out; None when there is neither of that name."""
        try:
            # A branch before a tag of the same name, as pip looks for them.
            return self._clone_beside(one, *((f"--branch={ref}",) if ref else ()))
        except NotDone as error:
            if isinstance(error.__cause__, GitError) and is_missing_ref(
                error.__cause__
            ):
                return None
            raise

    def _clone_beside(self, one: Wanted, *options: str) -> Path:
        """Clone into the scratch folder and return where."""
        # A clone that outlived its killed run removes its own folder when it fails: not this one.
        beside = self.repository.scratch / str(os.getpid()) / one.name
        remove(beside)
        beside.parent.mkdir(parents=True, exist_ok=True)
        # The user may call remotes otherwise (`clone.defaultRemoteName`).
        clone = [
            *_CLONING,
            *self._protocol(),
            "clone",
            "--progress",
            "--origin=origin",
            *options,
        ]
        if not (self.settings.has_template or self.app.environ.get("GIT_TEMPLATE_DIR")):
            # Git's sample hooks: copying them takes longer than a request.
            clone.append("--template=")
        self._ask(
            one, *clone, "--", one.package.url, str(beside), cwd=self.repository.top
        )
        return beside

    def _install(self, one: Wanted, beside: Path) -> None:
        """Put a finished clone's repository where Git keeps those of submodules, and make room for the work tree."""
        module = self.repository.module(one.path)
        folder = self.repository.top / one.path
        _finish_config(beside / ".git", relative_path(folder, module))
        # Other files in the folder are the user's; `fetch` has refused those of whom they may be.
        if (folder / ".git").is_file() or not has_files(folder):
            take_away(self.repository, one.path)
        module.parent.mkdir(parents=True, exist_ok=True)
        rename(beside / ".git", module)
        folder.parent.mkdir(parents=True, exist_ok=True)

    def _install_with_files(self, one: Wanted, beside: Path) -> str:
        self._install(one, beside)
        if self._move(one, beside) and head_of(self.repository.module(one.path)):
            self._put_large(one)
            self._fetch_nested(one)
            return head_of(self.repository.module(one.path))
        # On another disk, without a commit, or with its refs in another format.
        return self._checkout(one, "HEAD")

    def _install_and_check_out(self, one: Wanted, beside: Path, commit: str) -> str:
        _detach(beside / ".git")
        # Before it is in place: whoever stages all after a killed run stages this commit and no other.
        write_text(beside / ".git" / "HEAD", f"{commit}\n")
        self._install(one, beside)
        return self._checkout(one, commit)

    def _move(self, one: Wanted, beside: Path) -> bool:
        """Put a clone's work tree in its place; False when that lies on another disk than the repository."""
        folder = self.repository.top / one.path
        write_link(beside, self.repository.module(one.path), stands_at=folder)
        try:
            rename(beside, folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return False
        return True

    def _resolve(self, one: Wanted, ref: str, module: Path) -> str:
        """Return the commit of a branch, tag or commit, in the order in which pip looks; none: the default branch."""

        def run(*arguments: str, stdin: str = "") -> str:
            return self.app.git.run(*IN_MODULE, *arguments, cwd=module, stdin=stdin)

        candidates = (
            [f"refs/remotes/origin/{ref}", f"refs/tags/{ref}", ref]
            if ref
            else ["refs/remotes/origin/HEAD"]
        )
        asked = "".join(f"{candidate}^{{commit}}\n" for candidate in candidates)
        for line in run(
            "cat-file", "--batch-check=%(objectname)", stdin=asked
        ).splitlines():
            if " " not in line:
                return line
        if not run("for-each-ref", "--count=1"):
            raise NotDone("its repository is empty; push a first commit there")
        if not ref:
            raise NotDone(
                "its repository has no default branch; write a ref after the URL, as in `@main`"
            )
        tags = run("tag", "--sort=-creatordate").split()
        raise NotDone(remote.no_such_ref(one.package, ref, tags))

    def _checkout(self, one: Wanted, commit: str) -> str:
        """Check a commit out, or what HEAD is at after a clone; return the commit."""
        folder, module = (
            self.repository.top / one.path,
            self.repository.module(one.path),
        )
        folder.mkdir(parents=True, exist_ok=True)
        broke_off = (module / JOURNAL).exists()
        write_text(module / JOURNAL, f"{commit}\n")
        write_link(folder, module)
        # Nothing of the run that left it lives: this one has the submodule to itself.
        remove(module / "index.lock")
        ref = one.package.ref if commit == "HEAD" else commit
        if broke_off and not (module / "index").exists():
            # So that the files of the commit before go which this one has not; all are known to be Git's.
            with contextlib.suppress(GitError):
                self.repository.in_module(one.path, "read-tree", "HEAD")
        try:
            self.app.git.run(
                "checkout", "--quiet", "--force", "--detach", commit, cwd=folder
            )
        except GitError:
            self._leave_half(one)
            # Says it in words when there is no such commit.
            self._resolve(one, ref, module)
            raise
        self._put_large(one)
        remove(module / JOURNAL)
        self._fetch_nested(one)
        return head_of(module) or self._resolve(one, ref, module)

    def _fetch_large(self, one: Wanted, commit: str, folder: Path) -> str:
        """Fetch the files in Git LFS that a commit has, into a clone or a repository; return the commit.

        Without git-lfs they stay pointers, which `status` names.
        """
        if not large_files.has_git_lfs(self.app.environ):
            return commit
        inside = () if (folder / ".git").exists() else IN_MODULE
        search = ("grep", "--quiet", "filter=lfs", commit, "--", "**/.gitattributes")
        try:
            self.app.git.run("--glob-pathspecs", *inside, *search, cwd=folder)
        except GitError:
            return commit
        self._ask(one, *inside, "lfs", "fetch", "origin", commit, cwd=folder)
        return commit

    def _put_large(self, one: Wanted) -> None:
        """Put the files in Git LFS that were fetched in the place of their pointers."""
        folder = self.repository.top / one.path
        if not (self.repository.module(one.path) / "lfs" / "objects").is_dir():
            return
        # Git would call the files changed where nobody ever typed `git lfs install`.
        for key, value in large_files.SETUP:
            self.app.git.run("config", key, value, cwd=folder)
        self.app.git.run("lfs", "checkout", cwd=folder)

    def _fetch_nested(self, one: Wanted) -> None:
        """Fetch what is a submodule of the submodule."""
        folder = self.repository.top / one.path
        if (folder / ".gitmodules").is_file():
            try:
                self._ask(
                    one,
                    "submodule",
                    "update",
                    "--init",
                    "--recursive",
                    "--progress",
                    cwd=folder,
                )
            except NotDone:
                self._leave_half(one)
                raise

    def _leave_half(self, one: Wanted) -> None:
        """Git writes the index also when files are missing; the next run would take those for the user's work."""
        remove(self.repository.module(one.path) / "index")


def _finish_config(git_dir: Path, worktree: str) -> None:
    """Say where the work tree stands, forget the branch that `git clone` made, and ignore what installers leave."""
    config = read_text(git_dir / "config")
    config = re.sub(r'(?m)^\[branch ".*"\]\n(?:[ \t].*\n)*', "", config)
    ours = f"[{OURS}]\n\tmade = true\n"
    write_text(
        git_dir / "config", f'{config}[core]\n\tworktree = "{quoted(worktree)}"\n{ours}'
    )
    exclude = git_dir / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    before = read_text(exclude) if exclude.exists() else ""
    write_text(exclude, before + _EXCLUDED)


def _detach(git_dir: Path) -> None:
    """Let HEAD name its branch's commit, as `git submodule update` leaves it, and remove the branch.

    What is on a local branch is the user's (gitrepository-layout(5)). `git checkout --detach` and `git branch
    --delete` do the same in two processes. Where the branch is no file, HEAD stays.
    """
    branch = read_text(git_dir / "HEAD").strip().removeprefix("ref: ")
    if branch.startswith("refs/heads/") and (git_dir / branch).is_file():
        write_text(git_dir / "HEAD", read_text(git_dir / branch))
        remove(git_dir / branch)
