"""Fetching one package: clone beside, move into place, check out. Safe to run for many at once.

A clone happens in a scratch folder of its own and is renamed into ``.git/modules`` when it is whole,
so a killed run leaves nothing there that a later one could mistake for a repository.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path

from credentials import MissingVariable, variables_of, with_header, with_helper
from files import read_text, remove, write_text
from git import GitError, escaped, git, git_environment
from gitdir import relative_path, write_link
from network import Network
from plan import Add, Move, Populate, Replace, Wanted
from repository import IN_MODULE, Repository
from state import has_files, read_settings

# What may be a commit: `git clone --branch` does not find one.
_LIKE_A_COMMIT = re.compile(r"[0-9a-f]{7,64}")
# For a clone alone, so nothing of it is written down. On Windows a path may be too long here that is not where the
# work tree will stand; where new files are slow, many small ones take longer than their bytes do.
_CLONING = ("-c", "core.longPaths=true", "-c", "fetch.unpackLimit=1", "-c", "core.logAllRefUpdates=false")


class NotDone(Exception):
    """A package could not be put in place; the message is cause and cure in one clause."""


class Fetcher:
    """What every fetch of one run shares."""

    def __init__(self, repository: Repository, network: Network, environ: Mapping[str, str]) -> None:
        """``environ`` is the caller's environment, with the variables that the package lines name."""
        self.repository = repository
        self.settings = read_settings(repository)
        self.network = network
        self.environ = environ

    @property
    def scratch(self) -> Path:
        """Where half-made clones live; removed before and after each run."""
        return self.repository.git_dir / "private-packages.tmp"

    def carry_out(self, action: Add | Move | Replace | Populate) -> str:
        """Put one package in place and return the commit that its gitlink must name. Raises `NotDone`."""
        one = action.wanted
        folder = self.repository.top / one.path
        if isinstance(action, Add | Populate) and has_files(folder) and not self._is_ours(one):
            raise NotDone(f"{one.path} holds files that are no submodule; move them away")
        if isinstance(action, Add):
            self._refuse_work(one, "the answers name another repository for it" if folder.exists() else "")
            return self._clone_at_ref(one)
        if isinstance(action, Populate):
            if action.fetch:
                self._refuse_work(one, "its checkout broke off")
                self._clone(one)
            return self._checkout(one, action.commit)
        self._refuse_work(one, "the answers changed")
        module = self.repository.module(one.path)
        if isinstance(action, Move) and module.is_dir():
            fetch = (*IN_MODULE, *self._protocol(), "fetch", "--progress", "--tags", "--force", "origin")
            self._network(one, *fetch, cwd=module)
            return self._checkout(one, self._resolve(one, one.ref))
        if isinstance(action, Replace) and action.keep:
            self._clone(one)
            return self._checkout(one, self._commit_or_ref(one, action.keep))
        return self._clone_at_ref(one)

    def _refuse_work(self, one: Wanted, why: str) -> None:
        if not self.repository.module(one.path).exists() and not has_files(self.repository.top / one.path):
            return
        # A new package does not wait for this import.
        from work import edited_in_half, work_in

        changed = edited_in_half(self.repository, one.path)
        if changed:
            raise NotDone(
                f"its checkout broke off, and {one.path}/{changed} is not as Git left it;"
                " move that file away, so that the checkout can be finished"
            )
        work = work_in(self.repository, one.path)
        if work:
            raise NotDone(
                f"it holds {work}, so it stays as it is although {why or 'it is wanted anew'}; push or discard them"
            )

    def _is_ours(self, one: Wanted) -> bool:
        return (self.repository.top / one.path / ".git").is_file() and self.repository.module(
            one.path
        ).is_dir()

    def _network(self, one: Wanted, *arguments: str, cwd: Path) -> None:
        try:
            self._ask(one, *arguments, cwd=cwd)
        except MissingVariable as error:
            raise NotDone(
                f"the environment variable {error.name} is not set; set it to the user name or token"
            ) from error
        except GitError as error:
            # Only a failure waits for this import.
            from causes import explain

            raise NotDone(explain(error, url=one.url, variables=variables_of(one.user_info))) from error

    def _ask(self, one: Wanted, *arguments: str, cwd: Path) -> None:
        env = git_environment(self.environ, silence=self.network.silence)
        if not one.user_info:
            self.network.git(*arguments, cwd=cwd, env=env)
            return
        try:
            known = with_header(env, url=one.url, user_info=one.user_info)
            self.network.git(*arguments, cwd=cwd, env=known)
        except GitError as error:
            if not error.is_redirect:
                raise
            # A renamed repository, or one whose address lacks `.git`: once more, in the way that is safe.
            known = with_helper(env, url=one.url, user_info=one.user_info)
            self.network.git(*arguments, cwd=cwd, env=known)

    def _clone_at_ref(self, one: Wanted) -> str:
        """Put the wanted ref in place from a new clone; returns its commit."""
        like_a_commit = _LIKE_A_COMMIT.fullmatch(one.ref)
        beside = None if like_a_commit else self._clone_with_files(one)
        if beside is None:
            self._clone(one)
            whole = like_a_commit and len(one.ref) >= 40
            return self._checkout(one, one.ref if whole else self._resolve(one, one.ref))
        _detach(beside / ".git")
        self._install(one, beside)
        if self._move(one, beside) and self._head(one):
            self._fetch_submodules_of(one)
            return self._head(one)
        # On another disk, without a commit, or with its refs in another format.
        return self._checkout(one, "HEAD")

    def _clone_with_files(self, one: Wanted) -> Path | None:
        """Clone with the branch or tag checked out; None when there is neither of that name."""
        try:
            # A branch before a tag of the same name, as pip looks for them.
            return self._clone_beside(one, *((f"--branch={one.ref}",) if one.ref else ()))
        except NotDone as error:
            if isinstance(error.__cause__, GitError) and error.__cause__.is_missing_ref:
                return None
            raise

    def _move(self, one: Wanted, beside: Path) -> bool:
        """Put a clone's work tree in its place; False when that lies on another disk than the repository."""
        folder = self.repository.top / one.path
        write_link(beside, self.repository.module(one.path), stands_at=folder)
        try:
            beside.replace(folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return False
        return True

    def _head(self, one: Wanted) -> str:
        """The commit of a detached HEAD, or the empty string; read without Git (gitrepository-layout(5))."""
        head = read_text(self.repository.module(one.path) / "HEAD").strip()
        return head if _LIKE_A_COMMIT.fullmatch(head) else ""

    def _clone(self, one: Wanted) -> None:
        """Clone without a work tree."""
        self._install(one, self._clone_beside(one, "--no-checkout"))

    def _clone_beside(self, one: Wanted, *options: str) -> Path:
        """Clone into the scratch folder and return where."""
        # A clone that outlived its killed run removes its own folder when it fails: not this one.
        beside = self.scratch / str(os.getpid()) / one.name
        remove(beside)
        beside.parent.mkdir(parents=True, exist_ok=True)
        # The user may call remotes otherwise (`clone.defaultRemoteName`).
        clone = [*_CLONING, *self._protocol(), "clone", "--progress", "--origin=origin", *options]
        if not (self.settings.has_template or self.environ.get("GIT_TEMPLATE_DIR")):
            # Git's sample hooks: copying them takes longer than a request.
            clone.append("--template=")
        self._network(one, *clone, "--", one.url, str(beside), cwd=self.repository.top)
        return beside

    def _protocol(self) -> tuple[str, ...]:
        """Options of Git for a transfer that asks for refs by name (gitprotocol-http(5), gitprotocol-v2(5)).

        Protocol 2 asks what refs there are with a request of its own. That pays off where a host would list many
        thousands that are neither branches nor tags; who has such packages sets `protocol.version`.
        """
        return () if self.settings.has_protocol else ("-c", "protocol.version=0")

    def _install(self, one: Wanted, beside: Path) -> None:
        """Put a finished clone's repository where Git keeps those of submodules, and make room for the work tree."""
        module = self.repository.module(one.path)
        folder = self.repository.top / one.path
        worktree = f'[core]\n\tworktree = "{escaped(relative_path(folder, module))}"\n'
        with (beside / ".git" / "config").open("ab") as config:
            config.write(worktree.encode("utf-8", "surrogateescape"))
        remove(module)
        module.parent.mkdir(parents=True, exist_ok=True)
        (beside / ".git").replace(module)
        # The old work tree was found to hold nothing of the user's.
        if (folder / ".git").is_file() or (folder.exists() and not has_files(folder)):
            remove(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)

    def _resolve(self, one: Wanted, ref: str) -> str:
        """The commit of a branch, tag or commit, in the order in which pip looks; none: the default branch."""
        candidates = (
            [f"refs/remotes/origin/{ref}", f"refs/tags/{ref}", ref] if ref else ["refs/remotes/origin/HEAD"]
        )
        asked = "".join(f"{candidate}^{{commit}}\n" for candidate in candidates)
        found = self.repository.in_module(one.path, "cat-file", "--batch-check=%(objectname)", stdin=asked)
        for line in found.splitlines():
            if " " not in line:
                return line
        if not self.repository.in_module(one.path, "for-each-ref", "--count=1"):
            raise NotDone("its repository is empty; push a first commit there")
        if not ref:
            raise NotDone("its repository has no default branch; write a ref after the URL, as in `@main`")
        tags = self.repository.in_module(one.path, "tag", "--sort=-creatordate").split()[:5]
        raise NotDone(
            f"its repository has no tag, branch or commit `{ref}`"
            + (f" (newest tags: {', '.join(tags)})" if tags else "")
            + "; correct the ref with `copier update`"
        )

    def _commit_or_ref(self, one: Wanted, commit: str) -> str:
        try:
            return self._resolve(one, commit)
        except NotDone:
            return self._resolve(one, one.ref)

    def _checkout(self, one: Wanted, commit: str) -> str:
        """Check a commit out, or what HEAD is at after a clone; returns the commit."""
        folder, module = self.repository.top / one.path, self.repository.module(one.path)
        folder.mkdir(parents=True, exist_ok=True)
        write_link(folder, module)
        (module / "index.lock").unlink(missing_ok=True)
        ref = one.ref if commit == "HEAD" else commit
        try:
            git("checkout", "--quiet", "--force", "--detach", commit, cwd=folder, env=self.repository.env)
        except GitError:
            self._leave_half(one)
            # Says it in words when there is no such commit.
            self._resolve(one, ref)
            raise
        self._fetch_submodules_of(one)
        return self._head(one) or self._resolve(one, ref)

    def _fetch_submodules_of(self, one: Wanted) -> None:
        """Fetch what is a submodule of the submodule."""
        folder = self.repository.top / one.path
        if (folder / ".gitmodules").is_file():
            try:
                self._network(one, "submodule", "update", "--init", "--recursive", "--progress", cwd=folder)
            except NotDone:
                self._leave_half(one)
                raise

    def _leave_half(self, one: Wanted) -> None:
        """Git writes the index also when files are missing; the next run would take those for the user's work."""
        (self.repository.module(one.path) / "index").unlink(missing_ok=True)


def _detach(git_dir: Path) -> None:
    """Let HEAD name its branch's commit, as `git submodule update` leaves it (gitrepository-layout(5)).

    `git checkout --detach` does the same in a process of its own. Where the branch is no file, HEAD stays.
    """
    branch = read_text(git_dir / "HEAD").strip().removeprefix("ref: ")
    if branch.startswith("refs/heads/") and (git_dir / branch).is_file():
        write_text(git_dir / "HEAD", read_text(git_dir / branch))
