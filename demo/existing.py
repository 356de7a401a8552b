"""An app that was there before its private packages: a small one, as people have them, and what became of its lines."""

from __future__ import annotations

from pathlib import Path

from demo import runs
from demo.git import run_git

FILES = {
    "slab.py": '''\
"""Weight of a concrete slab: `python slab.py 6 4.5 0.2`, with length, width and thickness in metres."""

import sys

from tabulate import tabulate

# Reinforced concrete, in kN/m3.
CONCRETE = 25.0


def weight(length, width, thickness):
    """Weight of a slab, in kN."""
    return length * width * thickness * CONCRETE


def main(arguments):
    sides = [float(one) for one in arguments] or [6.0, 4.5, 0.2]
    print(tabulate([["weight", f"{weight(*sides):.1f} kN"]]))


if __name__ == "__main__":
    main(sys.argv[1:])
''',
    "test_slab.py": """\
import unittest

from slab import weight


class SlabTest(unittest.TestCase):
    def test_twice_as_thick_is_twice_as_heavy(self):
        self.assertAlmostEqual(weight(6, 4.5, 0.4), 2 * weight(6, 4.5, 0.2))

    def test_without_an_area_there_is_nothing(self):
        self.assertEqual(weight(0, 4.5, 0.2), 0)


if __name__ == "__main__":
    unittest.main()
""",
    "requirements.txt": "# for the reports\ntabulate==0.9.0\n",
    "README.md": "# Slab\n\n    pip install -r requirements.txt\n    python slab.py 6 4.5 0.2\n    python -m unittest\n",
    ".gitignore": "__pycache__/\n.venv/\n",
}
# What it gets.
PACKAGE = "acme-units"


def write(folder: Path) -> None:
    """Write the app, and commit it. Raises RuntimeError and OSError."""
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    person = ("-c", "user.name=Demo", "-c", "user.email=demo@localhost.invalid")
    run_git("-C", folder, "init", "--quiet", "--initial-branch=main")
    run_git("-C", folder, "add", "--all")
    run_git("-C", folder, *person, "commit", "--quiet", "--message", "The app as it is")


def became_of(folder: Path) -> str:
    """Say what became of the lines that were committed. Raises `StepFailed` when one of them was changed."""
    changes = run_git("-C", folder, "diff", "--numstat", "--no-renames", "--diff-filter=MDT", "HEAD")
    rows = [row.split("\t") for row in changes.splitlines()]
    lines = sum(text.count("\n") for text in FILES.values())
    changed = sum(int(removed) for _, removed, _ in rows)
    words = f"{lines} lines of the app, {changed or 'none'} changed"
    if changed:
        raise runs.StepFailed(words)
    return f"{words}; a block was added to {' and '.join(sorted(name for _, _, name in rows))}"


def start(folder: Path) -> str:
    """Run the app as its README says, then import its package beside it. Raises `StepFailed`."""
    said = runs.execute(folder, {}, "python", "slab.py", "6", "4.5", "0.2")
    code = f"import slab, {PACKAGE.replace('-', '_')} as package; print(package.__file__)"
    return said + runs.execute(folder, {}, "python", "-c", code)
