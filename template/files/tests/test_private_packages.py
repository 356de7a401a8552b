"""The doctor: says of each private package why it cannot be used, and what to do."""

import importlib
import json
import os
import re
import tomllib
import unittest
from importlib import metadata
from pathlib import Path
from typing import Any

import app

ROOT = Path(__file__).resolve().parents[1]
INSTALL = (
    "python check_private_packages.py && python -m pip install -r requirements.txt"
)


def private_packages() -> list[dict[str, Any]]:
    """The packages of [tool.private-packages] in pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: list[dict[str, Any]] = tomllib.load(file)["tool"][
            "private-packages"
        ].get("packages", [])
    return found


def unset_variables(package: dict[str, Any]) -> str:
    """A sentence about the variables that the package's line names and that are not set, or nothing."""
    text = package["requirement"] + (
        index_url() if package["strategy"] == "index" else ""
    )
    names = dict.fromkeys(re.findall(r"\$\{([A-Z0-9_]+)\}", text))
    missing = [name for name in names if not os.environ.get(name)]
    return (
        f"First set {' and '.join(missing)} (.env.example says how). "
        if missing
        else ""
    )


def index_url() -> str:
    """The address of the private index, with its placeholders."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["tool"]["private-packages"].get("index-url", ""))


def trouble_with_submodule(package: dict[str, Any]) -> str:
    """Why a submodule cannot be imported, or nothing."""
    name = package["name"]
    folder = Path(app.__file__).resolve().parent / "submodules" / name
    if not folder.is_dir() or not any(folder.iterdir()):
        first = unset_variables(package)
        return f"app/submodules/{name} is empty. {first}Run: git submodule update --init --recursive"
    names = importlib.import_module("app._submodules").top_level(folder)
    if not names:
        return f"app/submodules/{name} holds no Python package. Look at its repository and its ref."
    for module in names:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            return f"{module} needs {error.name}, which is not there. Run: {INSTALL}"
    return ""


def trouble_with_installed(package: dict[str, Any]) -> str:
    """Why a package from Git or an index is not the one that the app asks for, or nothing."""
    from packaging.requirements import Requirement

    name = package["name"]
    requirement = Requirement(
        re.sub(r"\$\{[A-Z0-9_]+\}", "variable", package["requirement"])
    )
    if requirement.marker and not requirement.marker.evaluate():
        return ""
    try:
        installed = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return f"{name} is not installed. {unset_variables(package)}Run: {INSTALL}"
    if not requirement.specifier.contains(installed.version, prereleases=True):
        return f"{name} is {installed.version}, and the app asks for {requirement.specifier}. Run: {INSTALL}"
    if package["strategy"] == "git":
        origin = json.loads(installed.read_text("direct_url.json") or "{}")
        ref = origin.get("vcs_info", {}).get("requested_revision", "")
        if ref != package["ref"]:
            wanted = package["ref"] or "its default branch"
            return f"{name} was installed from {ref or 'elsewhere'}, and the app asks for {wanted}. Run: {INSTALL}"
    return ""


class PrivatePackagesTest(unittest.TestCase):
    """Every private package of the answers can be used."""

    def test_every_private_package_is_usable(self) -> None:
        """One sentence for each package that is not: what is wrong, and what to type."""
        for package in private_packages():
            with self.subTest(package["name"]):
                submodule = package["strategy"] == "submodule"
                trouble = (
                    trouble_with_submodule(package)
                    if submodule
                    else trouble_with_installed(package)
                )
                if trouble:
                    self.fail(trouble)


if __name__ == "__main__":
    unittest.main()
