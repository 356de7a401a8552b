"""Every private package can be used: what `python -m private_packages status` finds."""

import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class PrivatePackagesTest(unittest.TestCase):
    """The doctor of the private packages, for the Python that runs the tests."""

    def test_every_private_package_is_usable(self) -> None:
        """Say of each package that is not what is wrong, and what to type."""
        command = [sys.executable, "-m", "private_packages", "status", "--quiet"]
        done = subprocess.run(
            [*command, "--python", sys.executable],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
