"""The units and the two functions that use them."""

from typing import NamedTuple


class _Unit(NamedTuple):
    dimension: str
    factor: float


_INCH = 0.0254  # m, exact by the international yard and pound agreement of 1959
_POUND_FORCE = 4.4482216152605  # N, exact by the same agreement and standard gravity

_UNITS = {
    "m": _Unit("length", 1.0),
    "mm": _Unit("length", 1e-3),
    "in": _Unit("length", _INCH),
    "ft": _Unit("length", 12 * _INCH),
    "N": _Unit("force", 1.0),
    "kN": _Unit("force", 1e3),
    "lbf": _Unit("force", _POUND_FORCE),
    "Nm": _Unit("moment", 1.0),
    "kNm": _Unit("moment", 1e3),
    "Pa": _Unit("stress", 1.0),
    "MPa": _Unit("stress", 1e6),
    "GPa": _Unit("stress", 1e9),
    "N/m": _Unit("line load", 1.0),
    "kN/m": _Unit("line load", 1e3),
    "m4": _Unit("second moment of area", 1.0),
    "mm4": _Unit("second moment of area", 1e-12),
}


def convert(value: float, source: str, target: str) -> float:
    """Return `value`, given in the unit `source`, in the unit `target`.

    Raises ValueError when a unit is unknown or the two measure different things.
    """
    old, new = _unit(source), _unit(target)
    if old.dimension != new.dimension:
        raise ValueError(f"{source} is a {old.dimension} and {target} a {new.dimension}.")
    return value * old.factor / new.factor


def parse(text: str, target: str) -> float:
    """Return a text such as `240 mm` as a number in the unit `target`.

    Raises ValueError when the text is not a number, a space and a unit, or for the reasons of `convert`.
    """
    try:
        number, unit = text.split()
        value = float(number)
    except ValueError:
        raise ValueError(f"{text!r} is not a number, a space and a unit.") from None
    return convert(value, unit, target)


def _unit(name: str) -> _Unit:
    if name not in _UNITS:
        raise ValueError(f"{name!r} is not a known unit; known are {', '.join(_UNITS)}.")
    return _UNITS[name]
