"""Keeps pytest out of the packages here: they have tests of their own."""

collect_ignore_glob = ["*"]
