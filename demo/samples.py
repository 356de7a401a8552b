"""The sample packages as bare Git repositories with a history, and as wheels."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import tomlkit
import uv
from packaging.version import Version

from demo.git import run_git

PACKAGES = Path(__file__).parent / "packages"

_PERSON = "Acme Demo <demo@localhost.invalid>"
_FIRST_COMMIT = 1_704_067_200  # 2024-01-01 00:00 UTC; each commit is an hour younger than its parent
_HOUR = 3600


@dataclass(frozen=True)
class Sample:
    """A sample package: its released versions, oldest first, and branches with commits past the newest release.

    ahead: for each such branch the version that its `pyproject.toml` names.
    """

    name: str
    versions: tuple[str, ...]
    ahead: Mapping[str, str]

    @property
    def tag(self) -> str:
        """The tag of the newest release."""
        return f"v{self.versions[-1]}"


SAMPLES = {
    sample.name: sample
    for sample in (
        Sample("acme-beams", ("1.0.0", "1.1.0", "1.2.3"), {"main": "1.3.0.dev0", "develop": "2.0.0.dev0"}),
        Sample("acme-units", ("1.0.0", "2.0.0", "2.1.0"), {"develop": "2.2.0.dev0"}),
        Sample("acme-loads", ("0.8.0", "0.9.0"), {}),
    )
}


def source_files(name: str, version: str) -> dict[str, str]:
    """Return a sample package's files at a version, by path: its number and a change log up to it.

    The code is always today's: a version that was never released is made the same way.
    """
    folder = PACKAGES / name
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    files = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}

    pyproject = tomlkit.parse(files["pyproject.toml"])
    pyproject["project"]["version"] = version
    files["pyproject.toml"] = tomlkit.dumps(pyproject)

    head, *sections = re.split(r"^(?=## )", files["CHANGELOG.md"], flags=re.MULTILINE)
    known = [section for section in sections if Version(section.split()[1]) <= Version(version)]
    files["CHANGELOG.md"] = "".join([head, *known]).rstrip() + "\n"
    return files


def make_samples(root: Path) -> None:
    """Make the bare repositories of all sample packages as `<root>/<name>.git`."""
    for sample in SAMPLES.values():
        oldest, *newer = sample.versions
        repository = make_repository(
            root, sample.name, source_files(sample.name, oldest), tags=[f"v{oldest}"]
        )
        for version in newer:
            commit(repository, source_files(sample.name, version), tag=f"v{version}")
        for branch, version in sorted(sample.ahead.items()):
            commit(repository, source_files(sample.name, version), branch=branch)


def make_repository(
    root: Path,
    name: str,
    files: Mapping[str, str],
    *,
    tags: Collection[str] = (),
    branches: Sequence[str] = ("main",),
) -> Path:
    """Make the bare repository `<root>/<name>.git` with one commit, and return its folder.

    All `branches` and `tags` point at the commit; the first branch is the default one. Without files there is no
    commit and so neither branch nor tag. The same arguments always give the same commit ids.
    """
    repository = root / f"{name}.git"
    run_git("init", "--quiet", "--bare", f"--initial-branch={branches[0]}", repository)
    if files:
        first = commit(repository, files, branch=branches[0])
        for ref in [
            *(f"refs/heads/{branch}" for branch in branches[1:]),
            *(f"refs/tags/{tag}" for tag in tags),
        ]:
            run_git("-C", repository, "update-ref", ref, first)
    return repository


def commit(
    repository: Path, files: Mapping[str, str | None], *, tag: str | None = None, branch: str = "main"
) -> str:
    """Add a commit that writes `files` (None removes one) to a branch of a bare repository; return its id.

    A branch that does not exist yet starts from the default branch. The tag is annotated, and moved if it exists.
    """
    tips = run_git(
        "-C", repository, "for-each-ref", "--format=%(refname) %(objectname) %(committerdate:unix)"
    )
    known = {ref: rest for ref, *rest in map(str.split, tips.splitlines())}
    default = run_git("-C", repository, "symbolic-ref", "HEAD")
    parent, date = known.get(f"refs/heads/{branch}") or known.get(default) or ("", _FIRST_COMMIT - _HOUR)
    stamp = f"{_PERSON} {int(date) + _HOUR} +0000\n".encode()

    stream = [b"commit refs/heads/%b\nmark :1\ncommitter %b" % (branch.encode(), stamp)]
    stream.append(_data(f"Release {tag}\n" if tag else f"Write {', '.join(files)}\n"))
    stream += [b"from %b\n" % parent.encode()] if parent else []
    for path, text in files.items():
        stream.append(
            f"D {path}\n".encode() if text is None else f"M 100644 inline {path}\n".encode() + _data(text)
        )
    if tag:
        stream.append(b"tag %b\nfrom :1\ntagger %b" % (tag.encode(), stamp) + _data(f"{tag}\n"))
    stream.append(b"get-mark :1\n")
    return run_git("-C", repository, "fast-import", "--quiet", "--force", stdin=b"".join(stream))


def _data(text: str) -> bytes:
    encoded = text.encode()
    return b"data %d\n%b\n" % (len(encoded), encoded)


def build_wheels(folder: Path, releases: Iterable[tuple[str, str]] | None = None) -> list[Path]:
    """Build wheels of sample packages into `folder`, several at a time, and return their paths in order.

    releases: names with versions, released or not; None means the newest two releases of each sample.
    Raises RuntimeError with uv's message when a build fails, for example without a network for the build backend.
    """
    if releases is None:
        releases = [(sample.name, version) for sample in SAMPLES.values() for version in sample.versions[-2:]]
    # Found once, before the threads: the look-up uses sysconfig, which is not safe in several at once.
    command = [uv.find_uv_bin(), "build", "--quiet", "--wheel", "--python", sys.executable]
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda release: _build_wheel(command, folder, *release), releases))


def _build_wheel(command: list[str], folder: Path, name: str, version: str) -> Path:
    with tempfile.TemporaryDirectory() as scratch:
        source, output = Path(scratch, "source"), Path(scratch, "wheel")
        for path, text in source_files(name, version).items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_text(text, encoding="utf-8", newline="\n")
        done = subprocess.run([*command, "--out-dir", output, source], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"uv build of {name} {version} failed: {done.stderr.strip()}")
        (wheel,) = output.glob("*.whl")
        return Path(shutil.copy(wheel, folder))
