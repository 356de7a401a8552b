"""Combinations of one permanent load with variable loads, in whatever unit the loads share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

# EN 1990, table A1.1: recommended values of psi0.
_PSI_0 = {"dwelling": 0.7, "office": 0.7, "storage": 1.0, "snow": 0.5, "wind": 0.6}

# EN 1990, table A1.2(B): recommended partial factors for unfavourable loads.
_GAMMA_G = 1.35
_GAMMA_Q = 1.5


@dataclass(frozen=True)
class Variable:
    """A variable load and its kind: dwelling, office, storage, snow or wind.

    Raises ValueError when the kind is none of these.
    """

    value: float
    kind: str

    def __post_init__(self) -> None:
        if self.kind not in _PSI_0:
            raise ValueError(f"{self.kind!r} is not a kind of load; known are {', '.join(_PSI_0)}.")


def ultimate(permanent: float, variable: Sequence[Variable] = ()) -> float:
    """Return the largest fundamental combination, EN 1990 equation 6.10, in the unit of the loads."""
    return _largest(variable, lambda load: _GAMMA_G * permanent + _GAMMA_Q * load)


def serviceability(permanent: float, variable: Sequence[Variable] = ()) -> float:
    """Return the largest characteristic combination, EN 1990 equation 6.14b, in the unit of the loads."""
    return _largest(variable, lambda load: permanent + load)


def _largest(variable: Sequence[Variable], combine: Callable[[float], float]) -> float:
    reduced = sum(_PSI_0[load.kind] * load.value for load in variable)
    leading = (load.value - _PSI_0[load.kind] * load.value for load in variable)
    return combine(reduced + max(leading, default=0.0))
