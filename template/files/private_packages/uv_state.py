"""How an app stands whose installer is uv: read without a network and without uv."""

from __future__ import annotations

from typing import TYPE_CHECKING

from private_packages import uv_export, uv_lock
from private_packages.errors import Failure
from private_packages.findings import INSTALL, Finding

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.lock import Lock


def findings(app: App, lock: Lock) -> list[Finding]:
    """Find what of uv.lock and its export does not fit what is wanted."""
    try:
        found = list(uv_lock.disagreements(app, lock, uv_lock.read(app)))
        return [*found, *uv_export.stale(app)]
    except Failure as error:
        return [Finding("uv-lock", "", str(error).rstrip("."), INSTALL)]
