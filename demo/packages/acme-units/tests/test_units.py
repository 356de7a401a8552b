"""Run with `python -m unittest` in the folder above."""

import unittest

from acme_units import convert, parse


class UnitsTest(unittest.TestCase):
    def test_a_value_survives_the_way_there_and_back(self) -> None:
        self.assertAlmostEqual(convert(convert(3.5, "ft", "mm"), "mm", "ft"), 3.5)

    def test_dimensions_do_not_mix(self) -> None:
        with self.assertRaisesRegex(ValueError, "kN is a force and m a length"):
            convert(1, "kN", "m")

    def test_text_is_read_with_its_unit(self) -> None:
        self.assertAlmostEqual(parse("240 mm", "m"), 0.24)
        with self.assertRaisesRegex(ValueError, "not a number"):
            parse("long", "m")


if __name__ == "__main__":
    unittest.main()
