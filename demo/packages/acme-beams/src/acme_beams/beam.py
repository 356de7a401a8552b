"""A simply supported beam under a uniform load (Euler-Bernoulli theory)."""

from dataclasses import dataclass, fields

import acme_units


@dataclass(frozen=True)
class Beam:
    """A prismatic beam of linear elastic material; all lengths in m.

    `modulus` is Young's modulus in Pa, `second_moment` the second moment of area in m4.
    Raises ValueError when a number is not positive.
    """

    span: float
    modulus: float
    second_moment: float
    depth: float

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"The {field.name} of a beam has to be positive.")

    @classmethod
    def parse(cls, span: str, modulus: str, second_moment: str, depth: str) -> "Beam":
        """Return the beam whose dimensions are texts such as `6 m`, `210 GPa`, `8.36e7 mm4`.

        Raises ValueError for the reasons of `acme_units.parse`.
        """
        return cls(
            span=acme_units.parse(span, "m"),
            modulus=acme_units.parse(modulus, "Pa"),
            second_moment=acme_units.parse(second_moment, "m4"),
            depth=acme_units.parse(depth, "m"),
        )

    def moment(self, load: float) -> float:
        """Return the moment at mid-span in N m under `load` in N/m: q L^2 / 8."""
        return load * self.span**2 / 8

    def stress(self, load: float) -> float:
        """Return the bending stress in the outer fibre in Pa under `load` in N/m: M z / I."""
        return self.moment(load) * self.depth / 2 / self.second_moment

    def deflection(self, load: float) -> float:
        """Return the deflection at mid-span in m under `load` in N/m: 5 q L^4 / 384 E I."""
        return 5 * load * self.span**4 / (384 * self.modulus * self.second_moment)
