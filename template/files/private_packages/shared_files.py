"""The blocks in the app's shared files, beside that in requirements.txt."""

from __future__ import annotations

from private_packages.app import App


def gitignore(app: App) -> list[str]:
    """Return what Git must not take: the values of the variables, and byte code."""
    return [".env", ".env.*", "!.env.example", "private_packages/**/__pycache__/"]


def env_example(app: App) -> list[str]:
    """Return the names of the variables."""
    if not app.config.variables:
        return []
    return [
        "# `python -m private_packages login` asks for the values and writes them to .env,",
        "# which stays on this machine. docs/private-packages.md says where they come from.",
        *(f"{name}=" for name in app.config.variables),
    ]


def viktorignore(app: App) -> list[str]:
    """Return what must not be uploaded to VIKTOR."""
    return (
        [".env", ".env.*", ".git", ".venv/"] if app.config.platform == "viktor" else []
    )


BLOCKS = {
    ".gitignore": gitignore,
    ".env.example": env_example,
    ".viktorignore": viktorignore,
}
