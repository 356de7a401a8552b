"""Existing apps: what people already have before they put the template over it, as data for parametrised tests.

Each is written as its users would write it, down to line endings and encodings. Everything that `start` and `tests`
need beyond Python's standard library stands in `needs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from demo.git import run_git
from demo.samples import make_repository

# Addresses of public registries stand in no tracked file as a whole (test_project.py); a lock of uv's names them.
_INDEX = "https://" + "pypi.org/simple"
_FILES = "https://" + "files.pythonhosted.org/packages"
_VIKTOR = "viktor==14.36.2"
_PYTEST = "pytest>=8"


@dataclass(frozen=True)
class Shape:
    """An app that exists already; `make` writes it."""

    name: str
    """A short id for pytest."""
    platform: str
    """`viktor` or `python`."""
    files: Mapping[str, str | bytes]
    """Path from the app's folder, with what the user has there."""
    start: tuple[str, ...]
    """What stands behind the name of a Python, in the app's folder, to import the entry point and print `says`."""
    says: str
    """The one line that `start` prints."""
    tests: tuple[str, ...]
    """What stands behind the name of a Python, in the app's folder, to run the app's own tests."""
    entry: str
    """The file whose first import would be the finder's on VIKTOR; empty for plain Python."""
    requirements: str
    """The file that lists what the app needs and would get a block; empty when it has none yet."""
    manager: str
    """`pip`, `uv`, `poetry` or `pdm`."""
    committed: bool = True
    """Whether there is a Git repository, with everything committed."""
    below: str = ""
    """The app's folder in a larger repository, from its top; empty when the app is the repository."""
    own_submodule: bool = False
    """Whether the repository has a submodule of the user's own, `vendor/geometry`, which `.gitmodules` names."""
    needs: tuple[str, ...] = ()
    """What `start` and `tests` need from PyPI; the environment of this project's tests has it where VIKTOR runs."""
    around: Mapping[str, str | bytes] = field(default_factory=dict)
    """The rest of the larger repository: path from its top, with its content."""

    def make(self, folder: Path) -> Path:
        """Write the app into `folder`, or below it in a larger repository, and return the app's folder.

        The upstream of an own submodule is made beside `folder`, as `geometry.git`, unless it is there.
        """
        app = folder / self.below
        for root, files in ((folder, self.around), (app, self.files)):
            for name, content in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        if not self.committed:
            return app
        run_git("-C", folder, "init", "--quiet", "--initial-branch=main")
        if self.own_submodule:
            if not (folder.parent / "geometry.git").exists():
                make_repository(folder.parent, "geometry", _GEOMETRY, tags=["v1.0.0"])
            add = ("submodule", "--quiet", "add", "--branch", "main", "../geometry.git", "vendor/geometry")
            run_git("-C", folder, "-c", "protocol.file.allow=always", *add)
        run_git("-C", folder, "add", "--all")
        person = ("-c", "user.name=Bench", "-c", "user.email=bench@localhost.invalid")
        run_git("-C", folder, *person, "commit", "--quiet", "--message", "The app as it is")
        return app


def _windows(text: str, encoding: str = "utf-8") -> bytes:
    """A text as Windows' editors write it."""
    return text.replace("\n", "\r\n").encode(encoding)


# --- VIKTOR: one file ---

_VIKTOR_ROOT = Shape(
    name="viktor-root",
    platform="viktor",
    start=("-c", "import app; print(app.Controller.label, app.largest_moment(10, 6))"),
    says="Simple beam 45.0",
    tests=("-m", "unittest", "-q"),
    entry="app.py",
    requirements="requirements.txt",
    manager="pip",
    needs=(_VIKTOR,),
    files={
        "app.py": '''\
import viktor as vkt

# Young's modulus of structural steel, in N/mm2.
STEEL = 210_000

# Second moment of area about the strong axis, in cm4, of what the workshop has in stock.
PROFILES = {
    "IPE 200": 1943,
    "IPE 240": 3892,
    "IPE 300": 8356,
    "HEA 200": 3692,
}


def largest_moment(load, span):
    """Bending moment in the middle of a beam on two supports, in kNm."""
    return load * span**2 / 8


def deflection(load, span, profile):
    """Deflection in the middle of the beam, in mm; load in kN/m, span in m."""
    stiffness = STEEL * PROFILES[profile] * 1e4
    return 5 * load * (span * 1000) ** 4 / (384 * stiffness)


class Parametrization(vkt.Parametrization):
    intro = vkt.Text("# Simple beam\\nA steel beam on two supports under a line load.")

    geometry = vkt.Section("Geometry")
    geometry.span = vkt.NumberField("Span", suffix="m", default=6, min=1, max=20)
    geometry.profile = vkt.OptionField("Profile", options=list(PROFILES), default="IPE 240")

    loads = vkt.Section("Loads")
    loads.line_load = vkt.NumberField("Line load", suffix="kN/m", default=10, min=0)


class Controller(vkt.Controller):
    label = "Simple beam"
    parametrization = Parametrization

    @vkt.DataView("Results", duration_guess=1)
    def results(self, params, **kwargs):
        span = params.geometry.span
        load = params.loads.line_load
        bent = deflection(load, span, params.geometry.profile)
        # 1/250 of the span, as agreed with the client.
        status = vkt.DataStatus.SUCCESS if bent <= span * 1000 / 250 else vkt.DataStatus.ERROR
        return vkt.DataResult(
            vkt.DataGroup(
                vkt.DataItem("Moment", largest_moment(load, span), suffix="kNm", number_of_decimals=1),
                vkt.DataItem("Deflection", bent, suffix="mm", number_of_decimals=1, status=status),
            )
        )
''',
        "tests/__init__.py": "",
        "tests/test_app.py": """\
import unittest

from viktor.testing import mock_params
from viktor.testing import mock_View

from app import Controller
from app import Parametrization
from app import deflection


class TestBeam(unittest.TestCase):
    def test_a_longer_beam_bends_more(self):
        self.assertGreater(deflection(10, 8, "IPE 300"), deflection(10, 6, "IPE 300"))

    @mock_View(Controller)
    def test_results(self):
        raw = {"geometry": {"span": 6, "profile": "IPE 240"}, "loads": {"line_load": 10}}
        result = Controller().results(params=mock_params(raw, Parametrization))
        self.assertEqual(len(result.data), 2)


if __name__ == "__main__":
    unittest.main()
""",
        "viktor.config.toml": """\
app_type = "editor"
python_version = "3.13"
registered_name = "simple-beam"
""",
        # No newline at its end.
        "requirements.txt": "viktor==14.36.2",
        "CHANGELOG.md": """\
# Changelog
All notable changes to this project will be documented in this file.

## [Unreleased]

## [v0.1.0] (2025-03-18)

### Added
- Deflection check
""",
        "README.md": """\
# Simple beam

Checks a steel beam on two supports.

    viktor-cli install
    viktor-cli start
""",
        ".gitignore": """\
# Python
__pycache__/
*.py[cod]
venv/
.venv/

# VIKTOR
.viktor/

# Editors
.idea/
.vscode/
""",
    },
)

# --- VIKTOR: a package with a tree of entities ---

_VIKTOR_PACKAGE = Shape(
    name="viktor-package",
    platform="viktor",
    start=("-c", "import app; print(', '.join(one.label for one in (app.Projects, app.Site, app.Pile)))"),
    says="Projects, Site, Pile",
    tests=("-m", "unittest", "discover", "-q", "-s", "tests", "-t", "."),
    entry="app/__init__.py",
    requirements="requirements.txt",
    manager="pip",
    needs=(_VIKTOR,),
    files={
        "app/__init__.py": """\
from viktor import InitialEntity

from .controller import PileController as Pile
from .controller import ProjectsController as Projects
from .controller import SiteController as Site

initial_entities = [
    InitialEntity(
        "Projects",
        name="Projects",
        children=[
            InitialEntity("Site", name="Harbour quay", params={"ground": {"level": -1.2, "resistance": 12}}),
        ],
    ),
]
""",
        "app/controller.py": '''\
"""The entities of the app: projects hold sites, sites hold piles."""

import viktor as vkt

from .parametrization import PileParametrization
from .parametrization import SiteParametrization
from .pile import bearing_capacity
from .pile import utilisation


class ProjectsController(vkt.Controller):
    """The folder that everything stands in; it has no input of its own."""

    label = "Projects"
    children = ["Site"]
    show_children_as = "Cards"


class SiteController(vkt.Controller):
    """A site with its ground."""

    label = "Site"
    children = ["Pile"]
    show_children_as = "Table"
    parametrization = SiteParametrization

    @vkt.TableView("Diameters", duration_guess=1)
    def diameters(self, params, **kwargs):
        """What one pile of each diameter carries in this ground."""
        rows = [[size, round(bearing_capacity(size, params.ground.resistance))] for size in (300, 400, 500, 600)]
        return vkt.TableResult(rows, column_headers=["Diameter [mm]", "Capacity [kN]"])


class PileController(vkt.Controller):
    """A pile, checked against its load."""

    label = "Pile"
    parametrization = PileParametrization

    @vkt.DataView("Check", duration_guess=1)
    def check(self, params, **kwargs):
        """Capacity of the tip, and how much of it is used."""
        capacity = bearing_capacity(params.diameter, params.resistance)
        return vkt.DataResult(
            vkt.DataGroup(
                vkt.DataItem("Capacity", capacity, suffix="kN", number_of_decimals=0),
                vkt.DataItem("Used", utilisation(params.load, capacity), number_of_decimals=2),
            )
        )

    def download(self, params, **kwargs):
        """The check as a table of plain text, for the file of the project."""
        # Here and not above: it takes long to load, and few people download anything.
        from tabulate import tabulate

        capacity = bearing_capacity(params.diameter, params.resistance)
        text = tabulate([["Capacity [kN]", capacity], ["Load [kN]", params.load]])
        return vkt.DownloadResult(text, "pile.txt")
''',
        "app/parametrization.py": '''\
"""What the users fill in."""

from viktor.parametrization import DownloadButton
from viktor.parametrization import NumberField
from viktor.parametrization import Parametrization
from viktor.parametrization import Tab


class SiteParametrization(Parametrization):
    ground = Tab("Ground")
    ground.level = NumberField("Ground level", suffix="m NAP", default=0)
    ground.resistance = NumberField("Cone resistance at the tip", suffix="MPa", default=10, min=0)


class PileParametrization(Parametrization):
    diameter = NumberField("Diameter", suffix="mm", default=400, min=200)
    resistance = NumberField("Cone resistance at the tip", suffix="MPa", default=10, min=0)
    load = NumberField("Load", suffix="kN", default=600)
    download = DownloadButton("Download", method="download")
''',
        "app/pile.py": '''\
"""Bearing capacity of round piles, without anything of VIKTOR's."""

from math import pi

# Of driven prefabricated piles.
TIP_FACTOR = 0.7


def bearing_capacity(diameter: float, resistance: float) -> float:
    """Return what the tip carries, in kN, from a diameter in mm and a cone resistance in MPa."""
    return TIP_FACTOR * resistance * pi * diameter**2 / 4 / 1000


def utilisation(load: float, capacity: float) -> float:
    """Return which part of the capacity is used."""
    return load / capacity if capacity else float("inf")
''',
        "tests/__init__.py": "",
        "tests/test_pile.py": """\
import unittest

from app.pile import bearing_capacity, utilisation


class TestPile(unittest.TestCase):
    def test_capacity_grows_with_the_square_of_the_diameter(self):
        self.assertAlmostEqual(bearing_capacity(600, 10), 4 * bearing_capacity(300, 10))

    def test_no_capacity(self):
        self.assertEqual(utilisation(100, 0), float("inf"))
""",
        "tests/test_controllers.py": """\
import unittest

from viktor.testing import mock_params
from viktor.testing import mock_View

import app
from app.controller import SiteController
from app.parametrization import SiteParametrization


class TestSite(unittest.TestCase):
    # mock_View loads the controller's module anew, and this one: only a name from there is the new class.
    @mock_View(SiteController)
    def test_diameters(self):
        params = mock_params({"ground": {"level": 0, "resistance": 10}}, SiteParametrization)
        self.assertEqual(len(SiteController().diameters(params=params).data), 4)

    def test_every_initial_entity_has_a_controller(self):
        self.assertTrue(app.initial_entities)
        self.assertEqual(app.Projects.children, ["Site"])
""",
        "viktor.config.toml": """\
registered_name = "pile-foundations"
app_type = "tree"
python_version = "3.13"
welcome_text = "WELCOME.md"
""",
        "WELCOME.md": "# Piles\n\nOne project a contract, one site a location.\n",
        "requirements.txt": """\
# Pinned, so that everybody checks with the same numbers.
viktor==14.36.2
tabulate==0.9.0
""",
        ".gitlab-ci.yml": """\
stages:
  - test
  - publish

test:
  stage: test
  image: python:3.13-slim
  script:
    - pip install -r requirements.txt
    - python -m unittest discover -s tests -t .

publish:
  stage: publish
  image: python:3.13-slim
  rules:
    - if: $CI_COMMIT_TAG
  before_script:
    - apt-get update && apt-get install --yes curl
    - curl -Lo viktor-cli "https://developers.viktor.ai/api/v1/get-cli/?platform=linux&format=binary"
    - chmod +x viktor-cli
  script:
    - ./viktor-cli publish --registered-name pile-foundations --tag "$CI_COMMIT_TAG"
""",
        "README.md": """\
# Pile foundations

Projects hold sites, sites hold piles. The formulas are in `app/pile.py`; they know nothing of VIKTOR.

| command | what |
|---|---|
| `viktor-cli start` | run it on your machine |
| `python -m unittest discover -s tests -t .` | the tests |
""",
        ".gitignore": "__pycache__/\nvenv/\n.venv/\n.idea/\n.viktor/\n*.pyc\n",
    },
)

# --- VIKTOR: modules beside the entry, and a .viktorignore of the user's ---

_VIKTOR_HELPERS = Shape(
    name="viktor-helpers",
    platform="viktor",
    start=("-c", "import app; print(type(app.Controller()).__name__, round(app.sliding(4.0, 'sand'), 2))"),
    says="Controller 1.58",
    tests=("-m", "unittest", "discover", "-q", "-s", "tests"),
    entry="app.py",
    requirements="requirements.txt",
    manager="pip",
    needs=(_VIKTOR,),
    files={
        "app.py": '''\
#!/usr/bin/env python3
"""Retaining wall: safety against sliding.

The formulas stand in `soil.py` and `wall.py`, so that they can be tested without VIKTOR.
"""

from __future__ import annotations

import logging

from soil import GROUNDS
from wall import Wall

import viktor as vkt

log = logging.getLogger(__name__)


def sliding(height: float, ground: str) -> float:
    """Return the safety of the standard wall of this height."""
    return Wall(height=height).safety_against_sliding(GROUNDS[ground])


class Parametrization(vkt.Parametrization):
    height = vkt.NumberField("Height", suffix="m", default=3.0, min=1, max=6, step=0.1, variant="slider")
    ground = vkt.OptionField("Ground behind the wall", options=list(GROUNDS), default="sand")
    lb = vkt.LineBreak()
    explain = vkt.BooleanField("Show the factors")


class Controller(vkt.Controller):
    parametrization = Parametrization(width=30)

    @vkt.DataView("Sliding")
    def sliding_view(self, params: vkt.Parametrization, **kwargs: object) -> vkt.DataResult:
        """The factor of safety; 1.5 is what the code asks for."""
        factor = sliding(params.height, params.ground)
        log.info("height %s, ground %s: %s", params.height, params.ground, factor)
        items = [vkt.DataItem("Safety", factor, number_of_decimals=2)]
        if params.explain:
            ground = GROUNDS[params.ground]
            items.append(vkt.DataItem("Active pressure", ground.active, number_of_decimals=3))
        return vkt.DataResult(vkt.DataGroup(*items))
''',
        "soil.py": '''\
"""Grounds, by the names that the borings use."""

from dataclasses import dataclass
from math import radians, tan


@dataclass(frozen=True)
class Ground:
    """A ground without cohesion."""

    weight: float  # kN/m3
    friction: float  # degrees

    @property
    def active(self) -> float:
        """Rankine's coefficient of active pressure."""
        return tan(radians(45 - self.friction / 2)) ** 2


GROUNDS = {
    "sand": Ground(weight=18.0, friction=32.5),
    "gravel": Ground(weight=19.0, friction=37.5),
    "fill": Ground(weight=17.0, friction=27.5),
}
''',
        "wall.py": '''\
"""The standard wall: as wide at its foot as 0.6 of its height, and as heavy as concrete."""

from dataclasses import dataclass

from soil import Ground

CONCRETE = 24.0
ROUGHNESS = 0.55


@dataclass
class Wall:
    """One metre of wall."""

    height: float

    @property
    def weight(self) -> float:
        """Of wall and heel, in kN."""
        return CONCRETE * 0.35 * self.height**2

    def safety_against_sliding(self, ground: Ground) -> float:
        """Return friction below the foot by pressure from behind."""
        earth = ground.weight * 0.3 * self.height**2 / 2
        push = ground.active * ground.weight * self.height**2 / 2
        pull = ROUGHNESS * (self.weight + earth) * 0.7
        return pull / push
''',
        "tests/test_wall.py": """\
import unittest

from soil import GROUNDS
from wall import Wall


class WallTest(unittest.TestCase):
    def test_gravel_pushes_less_than_fill(self):
        self.assertLess(GROUNDS["gravel"].active, GROUNDS["fill"].active)

    def test_the_height_cancels_out(self):
        low, high = (Wall(height=one).safety_against_sliding(GROUNDS["sand"]) for one in (2, 5))
        self.assertAlmostEqual(low, high)
""",
        "tests/test_view.py": """\
import unittest

from viktor.testing import mock_params, mock_View

from app import Controller, Parametrization


class ViewTest(unittest.TestCase):
    @mock_View(Controller)
    def test_factors_are_shown_on_demand(self):
        for explain, items in ((False, 1), (True, 2)):
            params = mock_params({"height": 3, "ground": "sand", "explain": explain}, Parametrization)
            self.assertEqual(len(Controller().sliding_view(params=params).data), items)
""",
        "assets/wall.svg": """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><path d="M2 9V1h2l1 7h4v1z" fill="#456"/></svg>
""",
        "viktor.config.toml": """\
# https://docs.viktor.ai/docs/create-apps/references/viktor-config-toml/
app_type = "editor"
python_version = "3.13"
registered_name = "retaining-wall"
assets_path = "assets"

# For the drawings; see ticket GEO-211.
packages = [
    "libcairo2",
]
""",
        ".viktorignore": """\
# The borings belong to the client and stay with us.
borings/
*.gef

tests/
docs/*.pdf
!docs/manual.pdf
.git
.venv
""",
        "requirements.txt": """\
viktor == 14.36.2   # together with viktor.config.toml

# only for the script in tools/
xmltodict==0.14.2
""",
        "tools/borings.py": '''\
"""List the borings of an export of the archive: `python tools/borings.py export.xml`."""

import sys

import xmltodict

if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        for boring in xmltodict.parse(file)["borings"]["boring"]:
            print(boring["@id"], boring["depth"])
''',
        ".github/workflows/tests.yml": """\
name: tests
on: [push]
jobs:
  tests:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
          cache: pip
      - run: pip install -r requirements.txt
      - run: python -m unittest discover -s tests
""",
        "README.md": "Retaining wall\n==============\n\nSafety of the standard wall against sliding.\n",
        ".gitignore": "venv\n.venv\n__pycache__\nborings/\n",
    },
)

# --- VIKTOR: made on Windows, an old SDK's names, every text file CRLF and the entry with a BOM ---

_VIKTOR_WINDOWS = Shape(
    name="viktor-windows",
    platform="viktor",
    start=("-c", "import app; print(app.Controller.label, app.stufen(2.8))"),
    says="Treppe 16",
    tests=("-m", "unittest", "-q", "test_treppe.py"),
    entry="app.py",
    requirements="requirements.txt",
    manager="pip",
    needs=(_VIKTOR,),
    files={
        # With it Git keeps CRLF in every work tree, and LF in its objects.
        ".gitattributes": _windows("* text=auto eol=crlf\n*.png binary\n"),
        "app.py": _windows(
            """\
# -*- coding: utf-8 -*-
# Büro für Tragwerke, Größe der Stufen nach DIN 18065

from viktor import ViktorController
from viktor.parametrization import NumberField
from viktor.parametrization import ViktorParametrization
from viktor.views import DataGroup
from viktor.views import DataItem
from viktor.views import DataResult
from viktor.views import DataView

from treppe import auftritt
from treppe import stufen


class Parametrization(ViktorParametrization):
    hoehe = NumberField('Geschosshöhe', suffix='m', default=2.8, min=1)


class Controller(ViktorController):
    label = 'Treppe'
    parametrization = Parametrization

    @DataView('Stufen', duration_guess=1)
    def stufen_view(self, params, **kwargs):
        anzahl = stufen(params.hoehe)
        return DataResult(DataGroup(
            DataItem('Anzahl', anzahl),
            DataItem('Auftritt', auftritt(params.hoehe, anzahl), suffix='cm', number_of_decimals=1),
        ))
""",
            "utf-8-sig",
        ),
        "treppe.py": _windows(
            '''\
"""Stufen einer Treppe: zweimal die Steigung und der Auftritt sind 63 cm."""

STEIGUNG = 17.5  # cm, höchstens 19


def stufen(hoehe):
    """Anzahl der Stufen bei einer Geschosshöhe in Metern."""
    return round(hoehe * 100 / STEIGUNG)


def auftritt(hoehe, anzahl):
    """Tiefe einer Stufe in Zentimetern."""
    return 63 - 2 * hoehe * 100 / anzahl
'''
        ),
        "test_treppe.py": _windows(
            """\
import unittest

from viktor.testing import mock_params
from viktor.testing import mock_View

from app import Controller
from app import Parametrization
from treppe import auftritt


class TestTreppe(unittest.TestCase):

    def test_auftritt(self):
        self.assertAlmostEqual(auftritt(2.8, 16), 28.0)

    @mock_View(Controller)
    def test_view(self):
        result = Controller().stufen_view(params=mock_params({'hoehe': 2.8}, Parametrization))
        self.assertEqual(len(result.data), 2)


if __name__ == '__main__':
    unittest.main()
"""
        ),
        "viktor.config.toml": _windows(
            """\
app_type = "editor"
python_version = "3.13"
registered_name = "treppe"
"""
        ),
        "requirements.txt": _windows("viktor==14.36.2\n"),
        "README.md": _windows("# Treppe\n\nStarten: `viktor-cli start`\n\nPrüfen: `python test_treppe.py`\n"),
        ".gitignore": _windows("__pycache__/\nvenv/\n.venv/\nThumbs.db\ndesktop.ini\n"),
    },
)

# --- Plain modules at the top ---

_MODULES = Shape(
    name="modules",
    platform="python",
    start=("main.py", "--items", "3"),
    says="3 items: 117.81 EUR with tax",
    tests=("-m", "unittest", "-q"),
    entry="",
    requirements="requirements.txt",
    manager="pip",
    files={
        "main.py": '''\
"""Quotation for a number of items: `python main.py --items 3`."""

import argparse
import sys

from helpers import TAX
from helpers import discount
from helpers import euro

PRICE = 33.0


def total(items):
    """Price of that many items with discount and tax."""
    return items * PRICE * (1 - discount(items)) * (1 + TAX)


def notify(url, text):
    """Post the quotation to the chat of the sales team."""
    import requests

    answer = requests.post(url, json={"text": text}, timeout=10)
    answer.raise_for_status()


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1)
    parser.add_argument("--notify", metavar="URL")
    options = parser.parse_args(arguments)
    text = f"{options.items} items: {euro(total(options.items))} with tax"
    print(text)
    if options.notify:
        notify(options.notify, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
''',
        "helpers.py": '''\
"""Small things that do not deserve a place of their own."""

TAX = 0.19


def discount(items):
    """Part of the price that we give away."""
    if items >= 100:
        return 0.10
    if items >= 10:
        return 0.05
    return 0.0


def euro(amount):
    """An amount as it stands on the quotation."""
    return f"{amount:.2f} EUR"
''',
        "test_helpers.py": """\
import unittest

from helpers import discount, euro


class HelpersTest(unittest.TestCase):
    def test_discount_starts_at_ten(self):
        self.assertEqual([discount(n) for n in (1, 9, 10, 100)], [0.0, 0.0, 0.05, 0.10])

    def test_euro(self):
        self.assertEqual(euro(3), "3.00 EUR")
""",
        "test_main.py": """\
import unittest

import main


class TotalTest(unittest.TestCase):
    def test_nothing_costs_nothing(self):
        self.assertEqual(main.total(0), 0)

    def test_many_are_cheaper(self):
        self.assertLess(main.total(100) / 100, main.total(1))
""",
        "requirements.txt": "requests==2.32.5\n",
        "README.md": """\
# quote

    pip install -r requirements.txt
    python main.py --items 3

`--notify URL` posts the line to the chat.
""",
        ".gitignore": "__pycache__/\n*.pyc\nenv/\nvenv/\n.env\n",
    },
)

# --- src/ layout, setuptools, no requirements.txt ---

_SRC_LAYOUT = Shape(
    name="src-layout",
    platform="python",
    start=(
        "-c",
        "import sys; sys.path.insert(0, 'src'); from tidewatch.cli import main; main(['--level', '2.4'])",
    ),
    says="2.40 m: watch",
    tests=("-m", "pytest", "-q"),
    entry="",
    requirements="",
    manager="pip",
    needs=(_PYTEST,),
    files={
        "pyproject.toml": """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "tidewatch"
description = "Warns the lock keepers before high water"
readme = "README.md"
requires-python = ">=3.11"
authors = [{ name = "Water Desk" }]
dynamic = ["version"]
dependencies = [
    "packaging>=24",
    "humanize==4.12.3",
]

[project.optional-dependencies]
test = ["pytest>=8"]

[project.scripts]
tidewatch = "tidewatch.cli:main"

[tool.setuptools.packages.find]
where = ["src"]

[tool.setuptools.package-data]
tidewatch = ["levels.json"]

[tool.setuptools.dynamic]
version = { attr = "tidewatch.__version__" }

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["src"]
""",
        "src/tidewatch/__init__.py": '"""Warns the lock keepers before high water."""\n\n__version__ = "2.1.0"\n',
        "src/tidewatch/__main__.py": "from tidewatch.cli import main\n\nraise SystemExit(main())\n",
        "src/tidewatch/py.typed": "",
        "src/tidewatch/levels.json": """\
{
  "calm": 0.0,
  "watch": 2.0,
  "close": 3.2
}
""",
        "src/tidewatch/levels.py": '''\
"""The levels at which something has to be done."""

from __future__ import annotations

import json
from importlib.resources import files

LEVELS: dict[str, float] = json.loads(files(__package__).joinpath("levels.json").read_text("utf-8"))


def state(metres: float) -> str:
    """Return the name of the highest level that is reached."""
    reached = [name for name, level in LEVELS.items() if metres >= level]
    return max(reached, key=LEVELS.__getitem__, default="calm")
''',
        "src/tidewatch/cli.py": '''\
"""The command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import timedelta

from tidewatch.levels import state


def spoken(seconds: int) -> str:
    """Return a duration in words."""
    import humanize

    return humanize.naturaldelta(timedelta(seconds=seconds))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what a level means, and in which time it is reached."""
    parser = argparse.ArgumentParser(prog="tidewatch")
    parser.add_argument("--level", type=float, required=True)
    parser.add_argument("--within", type=int, help="seconds from now")
    options = parser.parse_args(arguments)
    line = f"{options.level:.2f} m: {state(options.level)}"
    if options.within is not None:
        line += f" in {spoken(options.within)}"
    print(line)
    return 0
''',
        "tests/test_levels.py": """\
import pytest

from tidewatch.levels import state


@pytest.mark.parametrize(("metres", "name"), [(-0.5, "calm"), (1.99, "calm"), (2.0, "watch"), (4, "close")])
def test_state(metres, name):
    assert state(metres) == name
""",
        ".github/workflows/test.yml": """\
name: Test

on:
  push:
    branches: [main]
  pull_request:

jobs:
  test:
    strategy:
      matrix:
        python: ["3.11", "3.13"]
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: ${{ matrix.python }}
      - run: python -m pip install --editable ".[test]"
      - run: python -m pytest
""",
        "README.md": "# tidewatch\n\n`pip install -e .[test]`, then `tidewatch --level 2.4` or `pytest`.\n",
        "LICENSE": "Proprietary. For the use of the Water Desk only.\n",
        ".gitignore": "__pycache__/\n*.egg-info/\nbuild/\ndist/\n.pytest_cache/\n.venv*/\n",
    },
)

# --- A web app in a package; a requirements.txt with BOM and CRLF; a harmless login in its CI file ---

_WEB_CRLF = Shape(
    name="web-crlf",
    platform="python",
    start=("-c", "from booking import create_app; print(sorted(create_app().routes))"),
    says="['/', '/rooms']",
    tests=("-m", "unittest", "discover", "-q", "-s", "tests"),
    entry="",
    requirements="requirements.txt",
    manager="pip",
    files={
        "booking/__init__.py": '''\
"""Booking of meeting rooms; `wsgi.py` serves it."""

import os

from . import rooms

__all__ = ["create_app"]

DEFAULT_DATABASE = "sqlite:///booking.db"


class Routes:
    """The pages by their paths, so that tests need no server."""

    def __init__(self, database):
        self.database = database
        self.routes = {}

    def route(self, path):
        def keep(page):
            self.routes[path] = page
            return page

        return keep

    def mount(self, framework):
        """Hand all pages to bottle."""
        for path, page in self.routes.items():
            framework.route(path, callback=page)
        return framework


def create_app(database=None):
    """The application factory."""
    app = Routes(database or os.environ.get("DATABASE_URL", DEFAULT_DATABASE))

    @app.route("/")
    def index():
        return "<h1>Rooms</h1><a href='/rooms'>free ones</a>"

    @app.route("/rooms")
    def free():
        return {"rooms": [room.name for room in rooms.free(rooms.ALL, seats=1)]}

    return app
''',
        "booking/rooms.py": '''\
"""The rooms, and which of them are free."""

from typing import NamedTuple


class Room(NamedTuple):
    name: str
    seats: int
    booked: bool = False


ALL = [Room("Attic", 4), Room("Cellar", 12, booked=True), Room("Garden", 20)]


def free(rooms, seats):
    """The free rooms with enough seats, smallest first."""
    return sorted((one for one in rooms if not one.booked and one.seats >= seats), key=lambda one: one.seats)
''',
        "booking/db.py": '''\
"""Connections to the database of a URL such as postgres://user:password@host:5432/booking."""

from urllib.parse import urlsplit


def connect(url):
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        import sqlite3

        return sqlite3.connect(parts.path.lstrip("/"))
    import pg8000.dbapi

    return pg8000.dbapi.connect(
        user=parts.username,
        password=parts.password,
        host=parts.hostname,
        port=parts.port or 5432,
        database=parts.path.lstrip("/"),
    )
''',
        "wsgi.py": '''\
"""What the server loads: `python wsgi.py` for a look at it."""

import bottle

from booking import create_app

application = create_app().mount(bottle.Bottle())

if __name__ == "__main__":
    bottle.run(application, host="127.0.0.1", port=8080, debug=True)
''',
        "tests/test_booking.py": """\
import os
import unittest
from unittest import mock

from booking import create_app
from booking.rooms import ALL, free


class BookingTest(unittest.TestCase):
    def test_booked_rooms_are_not_free(self):
        self.assertEqual([room.name for room in free(ALL, seats=5)], ["Garden"])

    def test_the_environment_names_the_database(self):
        with mock.patch.dict(os.environ, {"DATABASE_URL": "postgres://postgres:postgres@localhost/booking"}):
            self.assertTrue(create_app().database.startswith("postgres://"))

    def test_rooms(self):
        self.assertEqual(create_app("sqlite:///x").routes["/rooms"](), {"rooms": ["Attic", "Garden"]})
""",
        "requirements.txt": _windows(
            """\
# Web
bottle==0.13.4

# Database
pg8000==1.31.5
""",
            "utf-8-sig",
        ),
        ".github/workflows/ci.yml": """\
name: CI
on:
  push:
  pull_request:
jobs:
  build:
    runs-on: ubuntu-latest
    services:
      postgres:
        image: postgres:16
        env:
          POSTGRES_PASSWORD: postgres
        ports:
          - 5432:5432
        options: >-
          --health-cmd pg_isready
          --health-interval 10s
    env:
      DATABASE_URL: postgres://postgres:postgres@localhost:5432/booking
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - run: |
          pip install -r requirements.txt
          python -m unittest discover -s tests
""",
        ".env.example": "# Copy to .env and fill in.\nDATABASE_URL=postgres://postgres:postgres@localhost:5432/booking\nSECRET_KEY=\n",
        "Procfile": "web: python wsgi.py\n",
        "README.md": "# Booking\n\n1. `cp .env.example .env`\n2. `pip install -r requirements.txt`\n3. `python wsgi.py`\n",
        ".gitignore": "__pycache__/\n*.db\n.env\nvenv/\n.venv/\nnode_modules/\n",
    },
)

# --- Requirements in a folder ---

_REQUIREMENTS_FOLDER = Shape(
    name="requirements-folder",
    platform="python",
    start=("-m", "inspections", "data/example.csv"),
    says="2 bridges, 1 overdue",
    tests=("-m", "unittest", "-q"),
    entry="",
    requirements="requirements/base.txt",
    manager="pip",
    files={
        "inspections/__init__.py": '"""Which bridges have to be inspected."""\n',
        "inspections/__main__.py": '''\
"""`python -m inspections FILE` counts the bridges of a file."""

import sys
from datetime import date
from pathlib import Path

from inspections.load import bridges
from inspections.rules import overdue


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = bridges(Path(sys.argv[1]))
    late = [one for one in found if overdue(one, date(2025, 6, 1))]
    print(f"{len(found)} bridges, {len(late)} overdue")
    return 0


sys.exit(main())
''',
        "inspections/load.py": '''\
"""Bridges from the files that the districts send: CSV by mail, XLSX from the portal."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True)
class Bridge:
    number: str
    inspected: date
    grade: float


def bridges(path: Path) -> list[Bridge]:
    """Return the bridges of a file."""
    rows = spreadsheet(path) if path.suffix == ".xlsx" else table(path)
    return [Bridge(number, date.fromisoformat(day), float(grade)) for number, day, grade in rows]


def table(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def spreadsheet(path: Path) -> list[list[str]]:
    import openpyxl

    sheet = openpyxl.load_workbook(path, read_only=True).active
    return [[str(cell) for cell in row] for row in sheet.iter_rows(min_row=2, values_only=True)]
''',
        "inspections/rules.py": '''\
"""Every six years, and every three from grade 2.5 on."""

from datetime import date, timedelta

from inspections.load import Bridge


def overdue(bridge: Bridge, today: date) -> bool:
    years = 3 if bridge.grade >= 2.5 else 6
    return today - bridge.inspected > timedelta(days=365.25 * years)
''',
        "data/example.csv": "number,inspected,grade\n4711-A,2021-05-04,2.8\n4712,2022-09-30,1.5\n",
        "tests/__init__.py": "",
        "tests/test_rules.py": """\
import unittest
from datetime import date

from inspections.load import Bridge
from inspections.rules import overdue


class OverdueTest(unittest.TestCase):
    def test_a_bad_bridge_is_seen_twice_as_often(self):
        for grade, expected in ((2.5, True), (2.4, False)):
            with self.subTest(grade=grade):
                bridge = Bridge("1", date(2020, 1, 1), grade)
                self.assertIs(overdue(bridge, date(2024, 1, 1)), expected)
""",
        "requirements/base.txt": "# What runs on the server. Keep it short.\nopenpyxl==3.1.5\npython-dateutil==2.9.0.post0\n",
        "requirements/dev.txt": "-r base.txt\n\n# what CI checks with\npycodestyle==2.14.0\n",
        "requirements/constraints.txt": "et-xmlfile==2.0.0\nsix==1.17.0\n",
        "Makefile": """\
.PHONY: install test

install:
	python -m pip install -r requirements/dev.txt -c requirements/constraints.txt

test:
	python -m pycodestyle --max-line-length=110 inspections
	python -m unittest -q
""",
        "azure-pipelines.yml": """\
trigger:
  - main

pool:
  vmImage: ubuntu-latest

steps:
  - task: UsePythonVersion@0
    inputs:
      versionSpec: "3.12"
  - script: make install
    displayName: Install
  - script: make test
    displayName: Test
""",
        "setup.cfg": "[pycodestyle]\nmax-line-length = 110\nexclude = .git,venv\n",
        "README.rst": "Inspections\n===========\n\nRun ``make install`` and ``python -m inspections data/example.csv``.\n",
        ".gitignore": "# venv\n/venv/\n/.venv/\n\n__pycache__/\n/data/*\n!/data/example.csv\n",
    },
)

# --- Poetry ---

_POETRY = Shape(
    name="poetry",
    platform="python",
    start=("-m", "sluice", "--tide", "1.6"),
    says="open 74 min",
    tests=("-m", "unittest", "-q"),
    entry="",
    requirements="",
    manager="poetry",
    files={
        "pyproject.toml": """\
[tool.poetry]
name = "sluice"
version = "0.4.0"
description = "Opening times of the sluice gates, from the tide tables"
authors = ["Water Desk <bench@localhost.invalid>"]
readme = "README.md"
packages = [{ include = "sluice" }]

[tool.poetry.dependencies]
python = "^3.11"
packaging = "25.0"
tabulate = "^0.9.0"

[tool.poetry.group.dev.dependencies]
iniconfig = "^2.1.0"

[tool.poetry.scripts]
sluice = "sluice.__main__:main"

[build-system]
requires = ["poetry-core>=1.9"]
build-backend = "poetry.core.masonry.api"
""",
        # Poetry 2.5.1 made it.
        "poetry.lock": """\
# This file is automatically @generated by Poetry 2.5.1 and should not be changed by hand.

[[package]]
name = "iniconfig"
version = "2.3.1"
description = "brain-dead simple config-ini parsing"
optional = false
python-versions = ">=3.10"
groups = ["dev"]
files = [
    {file = "iniconfig-2.3.1-py3-none-any.whl", hash = "sha256:9121e2c1fdb355232495be3194c8dfe87ccc2d5dee45947b78e68f499790d7a7"},
    {file = "iniconfig-2.3.1.tar.gz", hash = "sha256:67f4b9c50da0dedf52af349e7749a80a9057a5031199791b906c3bb3ae878960"},
]

[[package]]
name = "packaging"
version = "25.0"
description = "Core utilities for Python packages"
optional = false
python-versions = ">=3.8"
groups = ["main"]
files = [
    {file = "packaging-25.0-py3-none-any.whl", hash = "sha256:29572ef2b1f17581046b3a2227d5c611fb25ec70ca1ba8554b24b0e69331a484"},
    {file = "packaging-25.0.tar.gz", hash = "sha256:d443872c98d677bf60f6a1f2f8c1cb748e8fe762d2bf9d3148b5599295b0fc4f"},
]

[[package]]
name = "tabulate"
version = "0.9.0"
description = "Pretty-print tabular data"
optional = false
python-versions = ">=3.7"
groups = ["main"]
files = [
    {file = "tabulate-0.9.0-py3-none-any.whl", hash = "sha256:024ca478df22e9340661486f85298cff5f6dcdba14f3813e8830015b9ed1948f"},
    {file = "tabulate-0.9.0.tar.gz", hash = "sha256:0095b12bf5966de529c0feb1fa08671671b3368eec77d7ef7ab114be2c068b3c"},
]

[package.extras]
widechars = ["wcwidth"]

[metadata]
lock-version = "2.1"
python-versions = "^3.11"
content-hash = "b34df26bf2ccd4c256f7f85206ce8a9f622c54a43b28819cfca1eec0d2eb6137"
""",
        "sluice/__init__.py": "from importlib import metadata\n\n\ndef version() -> str:\n    return metadata.version(__name__)\n",
        "sluice/__main__.py": '''\
"""The command `sluice`."""

import argparse

from sluice.gates import minutes_open


def main() -> None:
    parser = argparse.ArgumentParser(prog="sluice")
    parser.add_argument("--tide", type=float, default=1.0, help="height of the tide, in metres")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if options.table:
        from tabulate import tabulate

        print(tabulate([(tide / 10, minutes_open(tide / 10)) for tide in range(5, 30, 5)]))
    else:
        print(f"open {minutes_open(options.tide)} min")


if __name__ == "__main__":
    main()
''',
        "sluice/gates.py": '''\
"""How long the gates stay open."""

from math import acos, pi

HALF_A_TIDE = 373  # minutes


def minutes_open(tide: float, sill: float = 1.3) -> int:
    """Return for how many minutes the water outside stays below the sill."""
    if tide <= sill:
        return 0
    return round(HALF_A_TIDE * acos(sill / tide) / pi)
''',
        "tests/__init__.py": "",
        "tests/test_gates.py": """\
from unittest import TestCase

from sluice.gates import minutes_open


class GatesTest(TestCase):
    def test_a_low_tide_does_not_open_them(self):
        self.assertEqual(minutes_open(1.3), 0)

    def test_a_high_tide_opens_them_longer(self):
        self.assertGreater(minutes_open(3), minutes_open(2))
""",
        ".gitlab-ci.yml": """\
image: python:3.12

variables:
  POETRY_VIRTUALENVS_IN_PROJECT: "true"

test:
  before_script:
    - pip install poetry
    - poetry install
  script:
    - poetry run python -m unittest
  cache:
    paths:
      - .venv/
""",
        "README.md": "# Sluice\n\n```sh\npoetry install\npoetry run sluice --tide 1.6\n```\n",
        ".gitignore": ".venv/\n__pycache__/\ndist/\n",
    },
)

# --- PDM ---

_PDM = Shape(
    name="pdm",
    platform="python",
    start=("-m", "labels", "samples.ini"),
    says="3 labels for B12, B13",
    tests=("-m", "unittest", "discover", "-q", "-s", "tests"),
    entry="",
    requirements="",
    manager="pdm",
    files={
        "pyproject.toml": """\
[project]
name = "labels"
version = "1.3.0"
description = "Labels for soil samples, one text file a drilling"
authors = [{ name = "Laboratory", email = "bench@localhost.invalid" }]
requires-python = ">=3.11"
readme = "README.md"
license = { text = "Proprietary" }
dependencies = [
    "python-slugify>=8.0.4",
]

[tool.pdm]
distribution = false

[tool.pdm.dev-dependencies]
lint = ["pycodestyle>=2.14,<3"]

[tool.pdm.scripts]
start = "python -m labels"
test = "python -m unittest discover -s tests"
lint = "pycodestyle --max-line-length=100 labels tests"
all = { composite = ["lint", "test"] }
""",
        # PDM 2.25.9 made it.
        "pdm.lock": """\
# This file is @generated by PDM.
# It is not intended for manual editing.

[metadata]
groups = ["default", "lint"]
strategy = ["inherit_metadata"]
lock_version = "4.5.0"
content_hash = "sha256:1706c25bc133f2d7a511a81b7c9a08b2a8588a23dc67e13ec7189c1562a4660e"

[[metadata.targets]]
requires_python = ">=3.11"

[[package]]
name = "pycodestyle"
version = "2.15.0"
requires_python = ">=3.10"
summary = "Python style guide checker"
groups = ["lint"]
files = [
    {file = "pycodestyle-2.15.0-py2.py3-none-any.whl", hash = "sha256:12fd2f73c7b8ee8845a0431111df8faf4c1a07d6e64e2ee7f0c74014dab14181"},
    {file = "pycodestyle-2.15.0.tar.gz", hash = "sha256:318f5db083869b4c4dad922d0b11124fb27ab181b6730b93371da671e31bd50e"},
]

[[package]]
name = "python-slugify"
version = "9.2.0"
requires_python = ">=3.10"
summary = "A Python slugify application that also handles Unicode"
groups = ["default"]
dependencies = [
    "text-unidecode>=1.3",
]
files = [
    {file = "python_slugify-9.2.0-py3-none-any.whl", hash = "sha256:7298dcfc65e9ccdf834b3c398f163af0d09a9a8fc1ee6a7b2dffd8d38bfb756e"},
    {file = "python_slugify-9.2.0.tar.gz", hash = "sha256:cee32948083476013804de1667724fb1362dacb71e47b1d5d92adf8db6ee3298"},
]

[[package]]
name = "text-unidecode"
version = "1.3"
summary = "The most basic Text::Unidecode port"
groups = ["default"]
files = [
    {file = "text-unidecode-1.3.tar.gz", hash = "sha256:bad6603bb14d279193107714b288be206cac565dfa49aa5b105294dd5c4aab93"},
    {file = "text_unidecode-1.3-py2.py3-none-any.whl", hash = "sha256:1311f10e8b895935241623731c2ba64f4c455287888b18189350b67134a822e8"},
]
""",
        "labels/__init__.py": "",
        "labels/__main__.py": '''\
"""`python -m labels FILE [FOLDER]`: labels of the samples, and with a folder one text file a drilling."""

import sys
from pathlib import Path

from labels.samples import by_drilling
from labels.write import write


def main(arguments):
    drillings = by_drilling(Path(arguments[0]))
    if len(arguments) > 1:
        write(drillings, Path(arguments[1]))
    count = sum(map(len, drillings.values()))
    print(f"{count} labels for {', '.join(drillings)}")


main(sys.argv[1:])
''',
        "labels/samples.py": '''\
"""Samples from the laboratory's file: a section a drilling, an entry a depth."""

from configparser import ConfigParser


def by_drilling(path):
    """Return the labels of each drilling."""
    parser = ConfigParser()
    parser.optionxform = str
    with path.open(encoding="utf-8") as file:
        parser.read_file(file)
    return {
        drilling: [f"{drilling} / {depth} m / {ground}" for depth, ground in parser[drilling].items()]
        for drilling in parser.sections()
    }
''',
        "labels/write.py": '''\
"""Files with names that every share takes."""


def write(drillings, folder):
    from slugify import slugify

    folder.mkdir(exist_ok=True)
    for drilling, labels in drillings.items():
        (folder / f"{slugify(drilling)}.txt").write_text("\\n".join(labels) + "\\n", encoding="utf-8")
''',
        "samples.ini": "[B12]\n0.5 = Mutterboden\n2.0 = Sand, mittel\n\n[B13]\n1.0 = Ton, weich\n",
        "tests/test_samples.py": """\
import unittest
from pathlib import Path

from labels.samples import by_drilling


class SamplesTest(unittest.TestCase):
    def test_a_label_names_drilling_depth_and_ground(self):
        found = by_drilling(Path(__file__).parents[1] / "samples.ini")
        self.assertEqual(found["B13"], ["B13 / 1.0 m / Ton, weich"])
""",
        "README.md": "# Labels\n\n`pdm install`, `pdm run start samples.ini`, `pdm run all`.\n",
        ".gitignore": ".venv/\n.pdm-python\n.pdm-build/\n__pycache__/\nout/\n",
    },
)

# --- uv ---

_UV = Shape(
    name="uv",
    platform="python",
    start=("main.py", "2025-03-18.md"),
    says="2 open actions: Ada, Bo",
    tests=("-m", "unittest", "-q"),
    entry="",
    requirements="",
    manager="uv",
    files={
        "pyproject.toml": """\
[project]
name = "minutes"
version = "0.1.0"
description = "Turn the minutes of a site meeting into a list of actions"
readme = "README.md"
requires-python = ">=3.11"
dependencies = [
    "markdown-it-py>=3,<4",
]

[dependency-groups]
dev = [
    "pycodestyle>=2.14,<3",
]

[tool.uv]
package = false
default-groups = ["dev"]

[tool.ruff]
line-length = 100
""",
        "uv.lock": """\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "markdown-it-py"
version = "3.0.0"
source = { registry = "INDEX" }
dependencies = [
    { name = "mdurl" },
]
sdist = { url = "FILES/38/71/3b932df36c1a044d397a1f92d1cf91ee0a503d91e470cbd670aa66b07ed0/markdown-it-py-3.0.0.tar.gz", hash = "sha256:e3f60a94fa066dc52ec76661e37c851cb232d92f9886b15cb560aaada2df8feb", size = 74596, upload-time = "2023-06-03T06:41:14.443Z" }
wheels = [
    { url = "FILES/42/d7/1ec15b46af6af88f19b8e5ffea08fa375d433c998b8a7639e76935c14f1f/markdown_it_py-3.0.0-py3-none-any.whl", hash = "sha256:355216845c60bd96232cd8d8c40e8f9765cc86f46880e43a8fd22dc1a1a8cab1", size = 87528, upload-time = "2023-06-03T06:41:11.019Z" },
]

[[package]]
name = "mdurl"
version = "0.1.2"
source = { registry = "INDEX" }
sdist = { url = "FILES/d6/54/cfe61301667036ec958cb99bd3efefba235e65cdeb9c84d24a8293ba1d90/mdurl-0.1.2.tar.gz", hash = "sha256:bb413d29f5eea38f31dd4754dd7377d4465116fb207585f97bf925588687c1ba", size = 8729, upload-time = "2022-08-14T12:40:10.846Z" }
wheels = [
    { url = "FILES/b3/38/89ba8ad64ae25be8de66a6d463314cf1eb366222074cfda9ee839c56a4b4/mdurl-0.1.2-py3-none-any.whl", hash = "sha256:84008a41e51615a49fc9966191ff91509e3c40b939176e643fd50a5c2196b8f8", size = 9979, upload-time = "2022-08-14T12:40:09.779Z" },
]

[[package]]
name = "minutes"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "markdown-it-py" },
]

[package.dev-dependencies]
dev = [
    { name = "pycodestyle" },
]

[package.metadata]
requires-dist = [{ name = "markdown-it-py", specifier = ">=3,<4" }]

[package.metadata.requires-dev]
dev = [{ name = "pycodestyle", specifier = ">=2.14,<3" }]

[[package]]
name = "pycodestyle"
version = "2.14.0"
source = { registry = "INDEX" }
sdist = { url = "FILES/11/e0/abfd2a0d2efe47670df87f3e3a0e2edda42f055053c85361f19c0e2c1ca8/pycodestyle-2.14.0.tar.gz", hash = "sha256:c4b5b517d278089ff9d0abdec919cd97262a3367449ea1c8b49b91529167b783", size = 39472, upload-time = "2025-06-20T18:49:48.75Z" }
wheels = [
    { url = "FILES/d7/27/a58ddaf8c588a3ef080db9d0b7e0b97215cee3a45df74f3a94dbbf5c893a/pycodestyle-2.14.0-py2.py3-none-any.whl", hash = "sha256:dd6bf7cb4ee77f8e016f9c8e74a35ddd9f67e1d5fd4184d86c3b98e07099f42d", size = 31594, upload-time = "2025-06-20T18:49:47.491Z" },
]
""".replace("INDEX", _INDEX).replace("FILES", _FILES),
        ".python-version": "3.11\n",
        "main.py": '''\
"""Open actions of the minutes of a meeting: `uv run main.py 2025-03-18.md`."""

import sys
from pathlib import Path

from actions import open_actions


def page(text: str) -> str:
    """Return the minutes as HTML."""
    from markdown_it import MarkdownIt

    return MarkdownIt().render(text)


def main() -> None:
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    found = open_actions(text)
    print(f"{len(found)} open actions: {', '.join(sorted({one.who for one in found}))}")
    if "--html" in sys.argv:
        Path("minutes.html").write_text(page(text), encoding="utf-8")


if __name__ == "__main__":
    main()
''',
        "actions.py": '''\
"""Actions are the entries of a list with a box: `- [ ] Ada: order the steel`."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    who: str
    what: str


def open_actions(text: str) -> list[Action]:
    """Return what is still to be done, in the order of the text."""
    return [Action(who, what) for who, what in re.findall(r"(?m)^- \\[ \\] (\\w+): (.+)$", text)]
''',
        "2025-03-18.md": """\
# Site meeting

- [x] Ada: send the drawings
- [ ] Bo: order the steel
- [ ] Ada: call the surveyor
""",
        "test_actions.py": """\
import unittest

from actions import Action, open_actions


class ActionsTest(unittest.TestCase):
    def test_what_is_done_is_left_out(self):
        text = "- [x] Ada: this\\n- [ ] Bo: that\\n"
        self.assertEqual(open_actions(text), [Action("Bo", "that")])
""",
        "renovate.json": """\
{
  "$schema": "https://docs.renovatebot.com/renovate-schema.json",
  "extends": ["config:recommended"],
  "lockFileMaintenance": { "enabled": true }
}
""",
        ".github/workflows/ci.yml": """\
name: ci
on: push
permissions:
  contents: read
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: astral-sh/setup-uv@v6
      - run: uv sync --locked
      - run: uv run pycodestyle --max-line-length=100 main.py actions.py
      - run: uv run python -m unittest
""",
        "README.md": "# minutes\n\nNeeds [uv](https://docs.astral.sh/uv/): `uv run main.py 2025-03-18.md`\n",
        ".gitignore": "# Python-generated files\n__pycache__/\n*.py[oc]\nbuild/\ndist/\nwheels/\n*.egg-info\n\n# Virtual environments\n.venv\n",
    },
)

# --- A folder of a larger repository ---

_MONOREPO_FOLDER = Shape(
    name="monorepo-folder",
    platform="python",
    start=("-m", "web", "--check"),
    says="web: 2 pages, 0 broken links",
    tests=("-m", "unittest", "-q"),
    entry="",
    requirements="requirements.txt",
    manager="pip",
    below="apps/web",
    around={
        "README.md": """\
# The site

| folder | what | who |
|---|---|---|
| `apps/web` | the pages | Web Desk |
| `apps/worker` | the nightly import | Data Desk |
| `docs` | decisions | everybody |
""",
        ".github/workflows/ci.yml": """\
name: CI

on:
  push:
    branches: [main]
  pull_request:

jobs:
  test:
    runs-on: ubuntu-latest
    strategy:
      fail-fast: false
      matrix:
        app: [web, worker]
    defaults:
      run:
        working-directory: apps/${{ matrix.app }}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
      - run: pip install -r requirements.txt
      - run: python -m unittest
""",
        ".github/CODEOWNERS": "/apps/web/ @example/web-desk\n/apps/worker/ @example/data-desk\n",
        "ruff.toml": 'line-length = 100\ntarget-version = "py311"\n',
        "docs/0001-one-repository.md": "# 1. One repository\n\nBecause both apps change together.\n",
        "apps/worker/requirements.txt": "xmltodict==0.14.2\n",
        "apps/worker/worker.py": '"""The nightly import; cron runs it."""\n\nif __name__ == "__main__":\n    print("nothing to import")\n',
        "apps/worker/test_worker.py": """\
import unittest


class WorkerTest(unittest.TestCase):
    def test_it_can_be_loaded(self):
        __import__("worker")
""",
        ".gitignore": "__pycache__/\n.venv/\n*.log\n",
    },
    files={
        "web/__init__.py": "",
        "web/__main__.py": '''\
"""`python -m web` writes the site to `out/`, `python -m web --check` only looks at the links."""

import sys
from pathlib import Path

from web import links
from web.pages import PAGES


def render(out: Path) -> None:
    """Write every page."""
    from jinja2 import Template

    layout = Template((Path(__file__).parent / "layout.html").read_text(encoding="utf-8"))
    out.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (out / f"{name}.html").write_text(layout.render(page=page), encoding="utf-8")


def main() -> int:
    broken = links.broken(PAGES)
    print(f"web: {len(PAGES)} pages, {len(broken)} broken links")
    if "--check" not in sys.argv:
        render(Path("out"))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
''',
        "web/links.py": '''\
"""Links between the pages."""


def broken(pages):
    """The links that lead nowhere, as pairs of page and target."""
    return [(name, to) for name, page in pages.items() for to in page["links"] if to not in pages]
''',
        "web/pages.py": """\
PAGES = {
    "index": {"title": "Welcome", "text": "We build bridges.", "links": ["team"]},
    "team": {"title": "Who we are", "text": "Twelve people and a dog.", "links": ["index"]},
}
""",
        "web/layout.html": """\
<!doctype html>
<title>{{ page.title }}</title>
<p>{{ page.text }}</p>
{% for link in page.links %}<a href="{{ link }}.html">{{ link }}</a>{% endfor %}
""",
        "tests/__init__.py": "",
        "tests/test_links.py": """\
import unittest

from web.links import broken
from web.pages import PAGES


class LinksTest(unittest.TestCase):
    def test_ours_are_whole(self):
        self.assertEqual(broken(PAGES), [])

    def test_a_broken_one_is_found(self):
        self.assertEqual(broken({"a": {"links": ["b"]}}), [("a", "b")])
""",
        "requirements.txt": "jinja2==3.1.6\nmarkupsafe==3.0.3\n",
        "README.md": "# web\n\nSee the README at the top. `python -m web` writes the site to `out/`.\n",
        ".gitignore": "out/\n",
    },
)

# --- A submodule of the user's own, below a script in the manner of Streamlit's ---

_GEOMETRY = {
    ".gitignore": "__pycache__/\n",
    "README.md": "# geometry\n\nPolygons, for all teams. The drawing office maintains it.\n",
    "geometry/__init__.py": '"""Polygons."""\n\nfrom geometry.polygon import area\n\n__all__ = ["area"]\n',
    "geometry/polygon.py": '''\
"""The shoelace formula."""


def area(corners):
    """Return the area of a polygon, whichever way round its corners stand."""
    pairs = zip(corners, corners[1:] + corners[:1], strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2
''',
}

_OWN_SUBMODULE = Shape(
    name="own-submodule",
    platform="python",
    start=("report.py",),
    says="Plot 12: 600.0 m2, 3 trees",
    tests=("-m", "unittest", "discover", "-q", "-s", "tests"),
    entry="",
    requirements="requirements.txt",
    manager="pip",
    own_submodule=True,
    files={
        ".gitmodules": """\
# What we take from other teams. Ask the drawing office before you move anything here.
[submodule "vendor/geometry"]
	path = vendor/geometry
	; relative: everybody fetches it the way that they fetched us
	url = ../geometry.git
	branch = main
""",
        "report.py": '''\
"""A plot of land on one page: `streamlit run report.py`, or `python report.py` for the line alone."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "vendor" / "geometry"))

from figures import summary

try:
    import streamlit as st
except ModuleNotFoundError:
    # The server that sends the mails has no browser.
    st = None

PLOT = {"name": "Plot 12", "corners": [(0, 0), (30, 0), (30, 20), (0, 20)]}


def draw() -> None:
    st.title(PLOT["name"])
    width = st.slider("Width", 10, 60, 30)
    corners = [(0, 0), (width, 0), (width, 20), (0, 20)]
    st.metric("Summary", summary(PLOT["name"], corners))


# A script of Streamlit's runs from top to bottom, again and again.
if st is not None and st.runtime.exists():
    draw()
elif __name__ == "__main__":
    print(summary(PLOT["name"], PLOT["corners"]))
''',
        "figures.py": '''\
"""The figures of a plot; `vendor/geometry` has to be on the path."""

from geometry import area

# A tree for every 200 square metres that were begun, as the town wants it.
PER_TREE = 200


def trees(square_metres):
    return -int(-square_metres // PER_TREE)


def summary(name, corners):
    """The line of a plot in the mail."""
    size = area(corners)
    return f"{name}: {size:.1f} m2, {trees(size)} trees"
''',
        "tests/test_figures.py": """\
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "vendor" / "geometry"))

from figures import summary, trees


class FiguresTest(unittest.TestCase):
    def test_what_was_begun_counts(self):
        self.assertEqual([trees(size) for size in (0, 1, 200, 201)], [0, 1, 1, 2])

    def test_the_geometry_is_fetched(self):
        self.assertEqual(summary("A", [(0, 0), (2, 0), (0, 2)]), "A: 2.0 m2, 1 trees")
""",
        "requirements.txt": """\
# Streamlit comes with the image of the workstations; the server goes without.
tabulate==0.9.0
python-dotenv==1.1.1
""",
        ".streamlit/config.toml": '[theme]\nbase = "light"\n\n[browser]\ngatherUsageStats = false\n',
        ".gitlab-ci.yml": """\
variables:
  GIT_SUBMODULE_STRATEGY: recursive

test:
  image: python:3.12-slim
  script:
    - pip install -r requirements.txt
    - python -m unittest discover -s tests
""",
        "README.md": "# Plots\n\nClone it with `--recurse-submodules`, otherwise `vendor/geometry` is empty.\n",
        ".gitignore": "__pycache__/\n.venv/\n.env\n.streamlit/secrets.toml\n",
    },
)

# --- Windows without Git: CRLF everywhere, and what PowerShell 5.1 makes of `pip freeze > requirements.txt` ---

_WINDOWS_NO_GIT = Shape(
    name="windows-no-git",
    platform="python",
    start=("rechnung.py", "positionen.csv"),
    says="Summe 1234.50 EUR",
    tests=("-m", "unittest", "-q"),
    entry="",
    requirements="requirements.txt",
    manager="pip",
    committed=False,
    files={
        "rechnung.py": _windows(
            '''\
"""Summe der Positionen einer Rechnung; Excel schreibt sie als CSV (Trennzeichen-getrennt)."""

import csv
import sys
from decimal import Decimal


def lies(datei):
    """Positionen aus der Datei, in der Kodierung von Excel."""
    with open(datei, newline="", encoding="cp1252") as f:
        return list(csv.DictReader(f, delimiter=";"))


def betrag(text):
    """'1.034,50' wird 1034.50."""
    return Decimal(text.replace(".", "").replace(",", "."))


def summe(positionen):
    return sum(int(p["Menge"]) * betrag(p["Preis"]) for p in positionen)


def speichere(positionen, datei):
    """Schreibt die Positionen für die Buchhaltung."""
    from openpyxl import Workbook

    mappe = Workbook()
    for p in positionen:
        mappe.active.append(list(p.values()))
    mappe.save(datei)


if __name__ == "__main__":
    alle = lies(sys.argv[1])
    print(f"Summe {summe(alle)} EUR")
    if len(sys.argv) > 2:
        speichere(alle, sys.argv[2])
'''
        ),
        "test_rechnung.py": _windows(
            """\
import unittest
from decimal import Decimal

from rechnung import betrag, lies, summe


class RechnungTest(unittest.TestCase):
    def test_betrag(self):
        self.assertEqual(betrag("1.034,50"), Decimal("1034.50"))

    def test_umlaute(self):
        self.assertEqual(lies("positionen.csv")[1]["Text"], "Maße prüfen")

    def test_ohne_positionen(self):
        self.assertEqual(summe([]), 0)


if __name__ == "__main__":
    unittest.main()
"""
        ),
        "positionen.csv": _windows(
            "Text;Menge;Preis\nStahlträger;1;1.034,50\nMaße prüfen;2;100,00\n", "cp1252"
        ),
        "start.bat": _windows(
            """\
@echo off
cd /d "%~dp0"
if not exist venv python -m venv venv
venv\\Scripts\\python -m pip install -r requirements.txt
venv\\Scripts\\python rechnung.py positionen.csv buchhaltung.xlsx
pause
"""
        ),
        "requirements.txt": b"\xff\xfe" + _windows("et_xmlfile==2.0.0\nopenpyxl==3.1.5\n", "utf-16-le"),
        "LIESMICH.txt": _windows("Doppelklick auf start.bat. Fragen: Büro 2.07\n", "utf-8-sig"),
    },
)

# --- pytest with its settings in pyproject.toml; a requirements.txt that went through many editors ---

_PYTEST_MIXED = Shape(
    name="pytest-mixed",
    platform="python",
    start=("-c", "import converter; print(converter.convert(3, 'ft', 'm'))"),
    says="0.9144",
    tests=("-m", "pytest", "-q"),
    entry="",
    requirements="requirements.txt",
    manager="pip",
    needs=(_PYTEST,),
    files={
        "converter/__init__.py": '''\
"""Units of length and mass, for the desk that still gets drawings in feet."""

from converter.units import UnknownUnit, convert

__all__ = ["UnknownUnit", "convert"]
''',
        "converter/units.py": '''\
"""Units by their signs, each with its dimension and how many of the base unit it is."""

from __future__ import annotations

UNITS: dict[str, tuple[str, float]] = {
    "m": ("length", 1.0),
    "mm": ("length", 0.001),
    "ft": ("length", 0.3048),
    "in": ("length", 0.0254),
    "kg": ("mass", 1.0),
    "lb": ("mass", 0.45359237),
}


class UnknownUnit(ValueError):
    """A sign that is not in the table, or one of another dimension."""


def convert(value: float, unit: str, to: str) -> float:
    """Return the value in another unit."""
    try:
        (dimension, factor), (wanted, divisor) = UNITS[unit], UNITS[to]
    except KeyError as unknown:
        raise UnknownUnit(f"unknown unit {unknown}") from None
    if dimension != wanted:
        raise UnknownUnit(f"{unit} is a {dimension}, {to} is a {wanted}")
    return round(value * factor / divisor, 9)
''',
        "converter/rates.py": '''\
"""Units that others publish."""


def fetch(url: str) -> dict[str, float]:
    """Return the factors of a JSON file on the web."""
    import requests

    answer = requests.get(url, timeout=10)
    answer.raise_for_status()
    return {str(name): float(value) for name, value in answer.json().items()}
''',
        "tests/conftest.py": '''\
"""Fixtures for all tests."""

import pytest

from converter import units


@pytest.fixture
def furlong(monkeypatch):
    """A unit that is there for one test."""
    monkeypatch.setitem(units.UNITS, "fur", ("length", 201.168))
    return "fur"


def pytest_collection_modifyitems(items):
    for item in items:
        if "furlong" in item.fixturenames:
            item.add_marker("table")
''',
        "tests/test_units.py": """\
import pytest

from converter import UnknownUnit, convert


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [(1, "ft", "in", 12), (25.4, "mm", "in", 1), (1, "lb", "kg", 0.45359237), (0, "m", "ft", 0)],
)
def test_convert(value, unit, to, expected):
    assert convert(value, unit, to) == pytest.approx(expected)


def test_a_unit_that_was_added(furlong):
    assert convert(1, furlong, "m") == 201.168


@pytest.mark.parametrize(("unit", "to"), [("m", "kg"), ("m", "parsec")])
def test_what_does_not_fit_is_refused(unit, to):
    with pytest.raises(UnknownUnit):
        convert(1, unit, to)
""",
        "pyproject.toml": """\
# Settings of the tools only; what the app needs is in requirements.txt.

[tool.pytest.ini_options]
minversion = "8.0"
testpaths = ["tests"]
addopts = ["-ra", "--strict-markers", "--strict-config", "--import-mode=importlib"]
pythonpath = ["."]
markers = [
    "table: changes the table of units",
]
filterwarnings = ["error"]

[tool.coverage.run]
branch = true
source = ["converter"]

[tool.ruff]
line-length = 100

[tool.ruff.lint]
select = ["E", "F", "I"]
""",
        "requirements.txt": b"# runtime\r\nrequests==2.32.5\r\npackaging==25.0   \r\n"
        b"\n# added by the other desk\nidna==3.10\t\n\r\n   \n\n",
        "requirements-dev.txt": "-r requirements.txt\npytest>=8\n",
        ".editorconfig": "root = true\n\n[*]\nindent_style = space\n\n[*.py]\nindent_size = 4\n",
        ".github/workflows/python-app.yml": """\
# This workflow will install Python dependencies and run tests with a single version of Python
name: Python application

on:
  push:
    branches: [ "main" ]

permissions:
  contents: read

jobs:
  build:
    runs-on: ubuntu-latest
    steps:
    - uses: actions/checkout@v4
    - name: Set up Python 3.11
      uses: actions/setup-python@v5
      with:
        python-version: "3.11"
    - name: Install dependencies
      run: |
        python -m pip install --upgrade pip
        if [ -f requirements-dev.txt ]; then pip install -r requirements-dev.txt; fi
    - name: Test with pytest
      run: |
        pytest
""",
        "README.md": "# converter\n\n    pip install -r requirements-dev.txt\n    pytest\n",
        ".gitignore": "__pycache__/\n.pytest_cache/\n.coverage\nhtmlcov/\n.venv/\n",
    },
)

SHAPES: tuple[Shape, ...] = (
    _VIKTOR_ROOT,
    _VIKTOR_PACKAGE,
    _VIKTOR_HELPERS,
    _VIKTOR_WINDOWS,
    _MODULES,
    _SRC_LAYOUT,
    _WEB_CRLF,
    _REQUIREMENTS_FOLDER,
    _POETRY,
    _PDM,
    _UV,
    _MONOREPO_FOLDER,
    _OWN_SUBMODULE,
    _WINDOWS_NO_GIT,
    _PYTEST_MIXED,
)
