"""`python -m private_packages` in the app's folder, or `python PATH/TO/APP/private_packages` from anywhere."""

import sys
from pathlib import Path

# Run by its path, this folder stands first on the search path: its modules would hide others of their names.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from private_packages.cli import main  # noqa: E402  needs the search path

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
