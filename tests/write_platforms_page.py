"""Write docs/platforms.md from its data: `uv run python tests/write_platforms_page.py`.

The data are docs/platforms.yml; for what the command and the questionnaire know of hosts,
template/files/private_packages/hosts.json; for the CI systems template/ci/systems.json.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "platforms.md"

HEAD = """\
<!-- Written by tests/write_platforms_page.py from platforms.yml, hosts.json and systems.json; change it there. -->

# Platforms

What to type for the host of your packages, and what it wants from you. The examples can be pasted: put your
names for `acme`, `beams`, `units` and `example.com`, and leave `${…}` as it is, the name of an environment
variable. A user name without `${…}` is a constant of the host and no secret.

The facts about hosted services are from the sources in each section, not from a login. What the sources leave
open is marked as unverified. The tests run devpi and pypiserver.

## Which strategy fits

| packages on | strategy | `index_scope` |
|---|---|---|
"""

GIT = """
## Git hosts

The examples are lines of `submodule_packages` or `git_packages`. A line with `git+ssh://` logs in with your SSH
key and needs no variable. ssh is never asked a question: where it would ask, about a new host or a passphrase, the
command stops and names what to type. A key with a passphrase needs an agent: `ssh-add`. Your `core.sshCommand`,
`GIT_SSH_COMMAND` and `~/.ssh/config` hold here, too. A release is a tag: `git push origin v1.2.3`.
"""

INDEX = """
## Package indexes

The examples are answers to `index_url`. A release is an upload of what you built,
`python -m twine upload --repository-url ADDRESS dist/*`, with user name and token in `TWINE_USERNAME` and
`TWINE_PASSWORD`; the address is not the one for installing. `index_scope: only` needs an index that has PyPI's
packages too.
"""


CI = """
## CI

The question `ci` gives a new app the file of its system. In each the job is one line, `python -m private_packages install
--locked`; what is missing is said before Git or an index is asked anything. A pull request from a branch of the app's own
repository is tested, because its commits are pushed; a fork's starts nothing, so that it meets no secret. On VIKTOR a tag
is published, from the systems that VIKTOR's program knows, in an environment that asks a person once it is protected.

| system | its file | how a private package's login gets there |
|---|---|---|
"""

RUNS = """
### What runs where

| system | executed by the tests | only validated | neither |
|---|---|---|---|
"""


def hosts() -> dict[str, dict[str, Any]]:
    """What hosts.json says, by key."""
    table = ROOT / "template" / "files" / "private_packages" / "hosts.json"
    return {one["key"]: one for one in json.loads(table.read_text(encoding="utf-8"))}


def ci_systems() -> list[dict[str, Any]]:
    """What template/ci/systems.json says of each CI system."""
    table = ROOT / "template" / "ci" / "systems.json"
    return [one for one in json.loads(table.read_text(encoding="utf-8")) if one["file"]]


def platforms() -> list[dict[str, Any]]:
    """What both files say of each platform, in the order of platforms.yml."""
    known = hosts()
    listed = yaml.safe_load((ROOT / "docs" / "platforms.yml").read_text(encoding="utf-8"))
    return [{**known.pop(one["key"]), **one} for one in listed] + list(known.values())


def anchor(title: str) -> str:
    """The fragment that leads to a heading."""
    return title.lower().replace(" ", "-")


def command(platform: dict[str, Any]) -> str:
    """What prints a token for the host of the first example."""
    host = platform["examples"][0].rpartition("@")[2].partition("/")[0]
    return re.sub(platform["match"], platform["command"], host) if platform["command"] else ""


def section(platform: dict[str, Any]) -> str:
    """One platform: its examples, then the same rows for each of its kind."""
    names = [f"`{name}`" for name in platform["users"] if name != "git"]
    rows = {
        "fixed user names": ", ".join(names) or "none: name a variable",
        "token": platform["token"].format(command=command(platform)),
        "scopes": platform["scopes"],
        "CI": platform["ci"],
    }
    if platform["kind"] == "git":
        rows["index"] = platform["index"]
    else:
        rows["upload address"] = platform["upload"]
        rows["has PyPI too"] = platform["mirror"]
    rows["sources"] = ", ".join(
        f"[{title}]({url})" for source in platform["sources"] for title, url in source.items()
    )
    note = f"\n{platform['note']}\n" if platform["note"] else ""
    examples = "\n".join(platform["examples"])
    table = "\n".join(f"| {name} | {text} |" for name, text in rows.items())
    return (
        f"\n### {platform['title']}\n\n```text\n{examples}\n```\n{note}\n| what | how |\n|---|---|\n{table}\n"
    )


def ci_row(system: dict[str, Any]) -> str:
    """How a login gets to the jobs of a CI system, with the sources."""
    sources = ", ".join(f"[{title}]({url})" for title, url in system["sources"])
    return f"| {system['title']} | `{system['file']}` | {system['login']} ({sources}) |\n"


def page() -> str:
    """The whole text of docs/platforms.md."""
    listed = platforms()
    overview = [
        f"| [{one['title']}](#{anchor(one['title'])}) | "
        + ("submodule, git | |" if one["kind"] == "git" else f"index | `{one['scope']}` |")
        for one in listed
    ]
    return "".join(
        [
            HEAD,
            *(f"{row}\n" for row in overview),
            GIT,
            *(section(one) for one in listed if one["kind"] == "git"),
            INDEX,
            *(section(one) for one in listed if one["kind"] == "index"),
            CI,
            *(ci_row(one) for one in ci_systems()),
            RUNS,
            *(
                f"| {one['title']} | {one['executed']} | {one['validated']} | {one['neither']} |\n"
                for one in ci_systems()
            ),
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
