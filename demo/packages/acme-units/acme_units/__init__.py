"""Unit conversion for structural engineering: `convert` a number, `parse` a text."""

from acme_units._units import convert, parse

__all__ = ["convert", "parse"]
