"""One file a command; each has SUMMARY, DESCRIPTION, `add_arguments` and `run` (see `cli.Command`)."""
