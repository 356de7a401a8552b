"""What would be installed, and where it comes from: uv resolves, this compares the result with the lock."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from private_packages import builds, file_lines, requirements
from private_packages.errors import Failure
from private_packages.findings import SYNC
from private_packages.lock import Lock, LockedVersion
from private_packages.names import normalised, without_login
from private_packages.needs import build_requirements_of, name_of
from private_packages.package_files import is_installable, read_pyproject
from private_packages.project import table
from private_packages.remote import AT_ONCE
from private_packages.requirements import Line
from private_packages.strategies.submodule import distribution_of, root_of
from private_packages.uv import Uv, UvFailed, index_options, names_option

if TYPE_CHECKING:
    from private_packages.allow import Allowed
    from private_packages.app import App
    from private_packages.config import Package

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s+|=)(.+)")
_DIRECT = re.compile(rf"({_NAME.pattern}\s*(?:\[[^\]]*\])?)\s*@\s*(\S+)(.*)")
# A line without a name, such as an address or a path, could be of any package.
_NAMED = re.compile(
    rf"({_NAME.pattern})(?<!\.whl|\.zip|\.tgz|\.bz2|.\.gz|\.tar|.\.xz)\s*(?:\[[^\]]*\])?\s*(?:[<>=!~(;@].*)?"
)
ANSWERS = "make it one of the answers with `copier update --vcs-ref :current: --trust`"
_HASH = re.compile(r"\s+--hash[= ](\S+)")


@dataclass(frozen=True)
class Pinned:
    """One line of what uv resolved.

    ``source`` is what stands behind the name: ``==2.1.0``, ``@ git+…@commit`` or a path; ``index`` the address of
    the index that it comes from, ``hashes`` the sha256 of the files that are there, ``needed_by`` the packages that
    need it.
    """

    name: str
    source: str
    index: str = ""
    hashes: tuple[str, ...] = ()
    needed_by: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The version, where it comes from an index."""
        return self.source.removeprefix("==") if self.source.startswith("==") else ""

    @property
    def is_editable(self) -> bool:
        """Whether it is a folder of the app."""
        return self.source.startswith("-e ")

    @property
    def is_source(self) -> bool:
        """Whether it is a repository or a file that has to be built."""
        path = urlsplit(self.source.removeprefix("@ ")).path
        return self.source.startswith("@ ") and not path.endswith(".whl")

    @property
    def place(self) -> str:
        """Where it comes from, in a word."""
        return self.index or self.source.removeprefix("@ ") or "an index"


@dataclass(frozen=True)
class Resolution:
    """What uv resolved, and with what it is installed.

    ``lines`` are options of requirements.txt that were allowed, ``hashes`` those of its own lines, by name.
    """

    pinned: tuple[Pinned, ...]
    options: tuple[str, ...]
    lines: tuple[str, ...] = ()
    hashes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def named(self, name: str) -> Pinned | None:
        """Return the line of a package."""
        return next(
            (one for one in self.pinned if normalised(one.name) == normalised(name)),
            None,
        )


def resolve(
    app: App,
    uv: Uv,
    lock: Lock,
    allowed: Allowed,
    python: Path | None,
    held: Lock,
) -> Resolution:
    """Let uv resolve the app's requirements.txt for a Python; nothing is built that is not allowed.

    ``held`` is the lock to which builds are held, also where ``lock`` leaves out what may move. Without a Python it is
    resolved for every system, and every Python that the app runs on. Raises `Failure`, also for a line that cannot be
    vouched for.
    """
    wanted = list(_input(app, lock, allowed))
    return _compiled(app, uv, lock, allowed, python, held, wanted)


def resolve_builds(
    app: App,
    uv: Uv,
    lock: Lock,
    allowed: Allowed,
    python: Path | None,
    held: Lock,
    *,
    known: Mapping[Package, tuple[str, ...]],
) -> Resolution:
    """Let uv resolve what is built with what: a build runs it. Raises `Failure`.

    ``known`` is what `builds.in_cache` told.
    Each build is resolved for itself, as it is done: what two are built with need not fit together. Without a private
    index and a private prefix no name is private but those of the answers.
    """
    said = [*build_lines(app), *builds.read(app, held, allowed, known)]
    wanted = [one for one in dict.fromkeys(said) if _may_be_private(app, one)]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        found = pool.map(
            lambda one: _compiled(
                app, uv, lock, allowed, python, held, [(line, ()) for line in one]
            ),
            wanted,
        )
        pinned = {
            (one.name, one.source, one.hashes): one
            for each in found
            for one in each.pinned
        }
    return Resolution(tuple(pinned.values()), ())


def build_lines(app: App) -> list[tuple[str, ...]]:
    """Return what each folder that is installed says that it is built with: submodules, and the app itself.

    Raises `Failure`.
    """
    by_uv = app.config.installer == "uv"
    folders = [
        root_of(app, one)
        for one in installable(app)
        if by_uv or app.config.platform == "python"
    ]
    if by_uv:
        folders += [app.folder] if _is_package(app) else []
    elif any(_is_itself(app, line.text) for line in requirements.read(app.folder)):
        folders.append(app.folder)
    return [tuple(build_requirements_of(folder)) for folder in folders]


def _is_package(app: App) -> bool:
    """Tell whether uv builds the project itself (uv, "Build systems")."""
    data = read_pyproject(app.folder)
    return bool(table(data, "tool", "uv").get("package", "build-system" in data))


def _is_itself(app: App, text: str) -> bool:
    """Tell whether a line installs the app's own project."""
    found = _EDITABLE.fullmatch(text)
    if found is None:
        return False
    return (app.folder / found[1].strip()).resolve() == app.folder.resolve()


def _may_be_private(app: App, lines: Sequence[str]) -> bool:
    """Tell whether any name could be of a private package."""
    if app.config.index is not None or app.config.private_prefixes:
        return bool(lines)
    return any(app.config.named(name_of(line)) for line in lines)


def _compiled(
    app: App,
    uv: Uv,
    lock: Lock,
    allowed: Allowed,
    python: Path | None,
    held: Lock,
    wanted: Sequence[tuple[str, Sequence[str]]],
) -> Resolution:
    built = [one.name for one in app.config.of("git")]
    built += [distribution_of(app, one) for one in installable(app)]
    # Its code is what the user is about to run.
    built += own_name(app) if f"-e {app.folder.resolve()}" in dict(wanted) else []
    target = (
        ("--python", str(python))
        if python
        else ("--universal", "--python-version", app.config.python)
    )
    options = (
        *index_options(app),
        *("--index-strategy", "first-index", "--only-binary", ":all:"),
        *names_option("--no-binary", [*built, *sorted(allowed.build)]),
        *target,
    )
    with (
        _constraints_file(app, lock) as file,
        _constraints_file(app, held) as building,
    ):
        output = uv.run(
            *("pip", "compile", "--quiet", "-", "-c", file, "-b", building, *options),
            *(
                "--generate-hashes",
                "--no-header",
                "--no-strip-extras",
                "--emit-index-annotation",
            ),
            stdin="".join(f"{text}\n" for text, _ in wanted),
        )
    return Resolution(
        tuple(read_compiled(output, app)),
        options,
        tuple(text for text, _ in wanted if text in allowed.options),
        {normalised(name_of(text)): hashes for text, hashes in wanted if hashes},
    )


def install(
    app: App, uv: Uv, lock: Lock, resolution: Resolution, anew: Sequence[str] = ()
) -> str:
    """Install exactly what was resolved; files of the private index only by the lock's hashes.

    ``anew`` names what is installed again although it seems to be there. Raises `Failure`.
    """
    # A file of the same version that is installed already may be a stranger's.
    again = [one.name for one in resolution.pinned if lock.version_of(one.name)]
    lines = [_install_line(one, lock, resolution) for one in resolution.pinned]
    stdin = "\n".join([*resolution.lines, *lines]) + "\n"
    with _constraints_file(app, lock) as file:
        command = (
            *("pip", "install", "--no-deps", "-b", file, *resolution.options),
            *names_option("--reinstall-package", [*again, *anew]),
            *("-r", "-"),
        )
        try:
            # To reinstall, uv would fetch anew what its cache has by the same hashes.
            return uv.run(*command, "--offline", stdin=stdin)
        except UvFailed:
            return uv.run(*command, stdin=stdin)


class _constraints_file(tempfile.TemporaryDirectory[str]):  # noqa: N801  used as a function
    """A file with constraints, as long as uv reads it; it holds no login."""

    def __init__(self, app: App, lock: Lock) -> None:
        super().__init__()
        self._text = "".join(f"{line}\n" for line in _constraints(app, lock))

    def __enter__(self) -> str:
        path = Path(super().__enter__(), "constraints.txt")
        path.write_text(self._text, encoding="utf-8")
        return str(path)


def _input(
    app: App, lock: Lock, allowed: Allowed
) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the lines of requirements.txt as uv gets them, each with its hashes.

    They are without logins, and each private package is at its locked place.
    """
    options = requirements.option_lines(app)
    by_file = file_lines.requirements_by_line(app, lock)
    for line in requirements.read(app.folder):
        editable = _EDITABLE.fullmatch(line.text)
        if editable:
            yield f"-e {_editable(app, line, editable[1].strip())}", ()
        elif line.text.startswith("-"):
            if line.text in allowed.options:
                yield line.text, ()
            elif line.text not in options:
                raise _unvouched(
                    line,
                    "is an option that decides where packages come from",
                    "allow it with a reason in private-packages.allow.toml",
                )
        else:
            text = _HASH.sub("", line.text)
            yield (
                by_file.get(text) or _requirement(app, lock, Line(text, line.place)),
                _HASH.findall(line.text),
            )


def _editable(app: App, line: Line, path: str) -> Path:
    target = (app.folder / path).resolve()
    for package in app.config.of("submodule"):
        if target == root_of(app, package).resolve():
            return target
    if target == app.folder.resolve():
        return target
    raise _unvouched(
        line, f"installs {path}, which is no submodule of the answers", ANSWERS
    )


def _requirement(app: App, lock: Lock, line: Line) -> str:
    found = _NAMED.fullmatch(line.text)
    if found is None or " --" in line.text:
        raise _unvouched(
            line,
            "is not a plain requirement with a name",
            "write it as `name==version`",
        )
    package = app.config.named(found[1])
    direct = _DIRECT.fullmatch(line.text)
    if package and package.strategy == "submodule" and direct:
        raise _unvouched(
            line, f"takes {package.name} from elsewhere than {package.path}", ANSWERS
        )
    if package is None or package.strategy == "submodule":
        if "$" in line.text:
            raise _unvouched(
                line,
                "names an environment variable, whose value would go wherever the line says",
                ANSWERS,
            )
        return line.text
    if " ".join(line.text.split()) != " ".join(package.requirement.split()):
        raise Failure(
            f"{line.place}: `{_shown(line.text)}` is not the line of {package.name} in private-packages.toml"
            f" (`{_shown(package.requirement)}`). Remove it, then type `{SYNC}`."
        )
    if package.strategy == "git" and direct:
        return f"{direct[1]} @ {_address(package, lock)}{direct[3]}"
    return line.text


def _address(package: Package, lock: Lock) -> str:
    """Return a Git package's address for uv: no login, at the commit that the lock says."""
    locked = lock.commit_of(package.name, package.strategy)
    ref = locked.commit if locked else package.ref
    fragment = f"#subdirectory={package.subdirectory}" if package.subdirectory else ""
    url = (
        package.url
        if "://" in package.url
        else "ssh://" + package.url.replace(":", "/", 1)
    )
    return f"git+{url}{'@' if ref else ''}{ref}{fragment}"


def _constraints(app: App, lock: Lock) -> Iterator[str]:
    """Yield a line for each private name that puts it in its place, whoever needs it."""
    for package in app.config.of("git"):
        yield f"{package.name} @ {_address(package, lock)}"
    for package in installable(app):
        root = root_of(app, package).resolve().as_uri()
        yield f"{distribution_of(app, package)} @ {root}"
    for locked in lock.values():
        if isinstance(locked, LockedVersion):
            # What is needed to build is held to them, too (uv, "Build constraints").
            yield f"{locked.name}=={locked.version}{_hashes_of(locked)}"


def _hashes_of(locked: LockedVersion) -> str:
    return "".join(
        f" \\\n    --hash=sha256:{one}" for one in sorted(set(locked.files.values()))
    )


def own_name(app: App) -> list[str]:
    """Return the name of the app's own project (PEP 621), where it says it."""
    project = read_pyproject(app.folder).get("project")
    name = project.get("name") if isinstance(project, dict) else None
    return [name] if isinstance(name, str) else []


def installable(app: App) -> list[Package]:
    """Return the submodules that an installer can install."""
    return [
        one for one in app.config.of("submodule") if is_installable(root_of(app, one))
    ]


def _unvouched(line: Line, why: str, instead: str) -> Failure:
    return Failure(
        f"{line.place}: `{_shown(line.text)}` {why}. Remove it, or {instead}."
    )


def _shown(text: str) -> str:
    return without_login(text)[:100]


def read_compiled(output: str, app: App) -> Iterator[Pinned]:
    """Yield what `uv pip compile` printed, a package each."""
    for block in re.split(r"\n(?=[^\s])", output.strip()):
        if not block.strip():
            continue
        first, *rest = block.replace("\\\n", "\n").splitlines()
        hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
        index = next(
            (
                found[1]
                for line in rest
                if (found := re.fullmatch(r"\s*# from (\S+)", line))
            ),
            "",
        )
        first = first.strip()
        if first.startswith("-e "):
            yield Pinned(_submodule_at(app, first.removeprefix("-e ")), first)
            continue
        found = _NAME.match(first)
        if found is None:
            raise Failure(f"uv resolved something that has no name: `{_shown(first)}`.")
        rest_of_line = re.sub(r"^\s*\[[^\]]*\]", "", first[found.end() :]).strip()
        source = rest_of_line.partition(" ;")[0].strip()
        needed_by = tuple(re.findall(rf"(?m)^ +#(?: via)? +({_NAME.pattern})$", block))
        yield Pinned(found[0], source, index, hashes, needed_by)


def _submodule_at(app: App, url: str) -> str:
    """Return the name of the submodule in a folder, or its address where there is none."""
    for package in app.config.of("submodule"):
        if is_in(url, root_of(app, package)):
            return package.name
    return url


def is_in(url: str, folder: Path) -> bool:
    """Tell whether a `file:` address means a folder, however it is encoded."""
    path = url2pathname(urlsplit(url.strip()).path)
    return url.strip().startswith("file:") and Path(path) == folder.resolve()


def _install_line(one: Pinned, lock: Lock, resolution: Resolution) -> str:
    if one.is_editable:
        return one.source
    locked = lock.version_of(one.name)
    hashes = [
        f"sha256:{one}"
        for one in (sorted(locked.files.values()) if locked else one.hashes)
    ]
    options = resolution.hashes.get(normalised(one.name), hashes)
    separator = "" if one.source.startswith("=") else " "
    return f"{one.name}{separator}{one.source}" + "".join(
        f" \\\n    --hash={option}" for option in options
    )
