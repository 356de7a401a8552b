"""Whether the app's template is the organisation's own, where PRIVATE_PACKAGES_TEMPLATE says which that is.

`copier update` runs the code of whatever template the answers file names, and a change request may alter that file.
So the address is pinned where no change request gets at it: in the settings of CI and of people's machines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from private_packages.files import read_text
from private_packages.findings import Finding
from private_packages.names import without_login

if TYPE_CHECKING:
    from private_packages.app import App

VARIABLE = "PRIVATE_PACKAGES_TEMPLATE"
# A key as Copier writes it, what belongs to the line above, a comment; YAML knows more ways to say the same.
_AS_WRITTEN = re.compile(r"(?:[A-Za-z_]\w*:(?: .*)?|[ \t-].*|#.*|)")
_ADDRESS = re.compile(r"(?m)^_src_path: (['\"]?)(\S+)\1(?:\n(?![ \t])|\Z)")


def strange(app: App) -> Iterator[Finding]:
    """Find an answers file with another template than the pinned ones; addresses are separated by blanks."""
    pinned = {_comparable(one) for one in app.environ.get(VARIABLE, "").split()}
    file = app.folder / app.config.answers_file
    if not pinned or not file.exists():
        return
    text = read_text(file)
    found = _ADDRESS.search(text)
    plain = all(_AS_WRITTEN.fullmatch(line) for line in text.splitlines())
    if found is None or text.count("_src_path") > 1 or not plain:
        clause = f"{file.name} is not as Copier writes it, so nobody can say which template it names"
    elif _comparable(found[2]) not in pinned:
        clause = (
            f"{file.name} names the template {without_login(found[2])}, and {VARIABLE} says another:"
            " `copier update` would run its code"
        )
    else:
        return
    yield Finding("template", "", f"{clause}; look at who changed it")


def _comparable(address: str) -> str:
    return address.rstrip("/").removesuffix(".git")
