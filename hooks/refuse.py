"""Says why the unit cannot be put into an app that exists already; Copier has rendered nothing then."""

import sys

print(f"Nothing was changed. {sys.argv[1]}", file=sys.stderr)
sys.exit(1)
