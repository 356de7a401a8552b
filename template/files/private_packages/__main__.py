"""`python -m private_packages` in the app's folder, or `python PATH/TO/APP/private_packages` from anywhere."""

import sys
from pathlib import Path

# Run by its path, this folder stands first on the search path: its modules would hide others of their names.
sys.path[0] = str(Path(__file__).resolve().parents[1])

if sys.version_info < (3, 11):  # noqa: UP036  an older Python reads this
    sys.exit(
        f"private_packages needs Python 3.11 or newer; this is {sys.version.split()[0]}."
    )
try:
    if (Path(__file__).resolve().parent / "__pycache__" / "coming").is_dir():
        # A killed update left files here: what it began is done before anything else of this folder is read.
        from private_packages.renewal import finish

        finish(Path(__file__).resolve().parent)
    from private_packages.cli import main
except ImportError as error:
    sys.exit(
        f"private_packages is incomplete ({error}); take it back with `git checkout HEAD -- private_packages`."
    )
except OSError as error:
    sys.exit(
        f"private_packages is half an update, and cannot be made whole ({error}); make that writable."
    )

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
