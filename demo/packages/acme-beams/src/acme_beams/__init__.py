"""Bending of simply supported beams."""

from acme_beams.beam import Beam

__all__ = ["Beam"]
