"""How a package gets into the app: one file a strategy, each with the functions of `Strategy`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from private_packages.config import Package
    from private_packages.strategies import git, index, submodule
    from private_packages.strategies.base import Strategy

    _COMPLETE: tuple[Strategy, ...] = (submodule, git, index)

NAMES = ("submodule", "git", "index")


def strategy_of(package: Package) -> Strategy:
    """Return a package's strategy; what an app does not use is not loaded."""
    return cast("Strategy", importlib.import_module(f"{__name__}.{package.strategy}"))
