"""`python -m demo` is the `demo` command."""

import sys

from demo.cli import main

sys.exit(main())
