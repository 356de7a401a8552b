"""Load combinations after EN 1990."""

from acme_loads.combinations import Variable, serviceability, ultimate

__all__ = ["Variable", "serviceability", "ultimate"]
