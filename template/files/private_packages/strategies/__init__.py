"""How a package gets into the app: one file a strategy, each with the functions of `Strategy`."""

from __future__ import annotations

from collections.abc import Mapping

from private_packages.strategies import git, index, submodule
from private_packages.strategies.base import Strategy

STRATEGIES: Mapping[str, Strategy] = {
    "submodule": submodule,
    "git": git,
    "index": index,
}
