"""The templates: inside the installed package, or at the top of the repository in a checkout."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


@cache
def templates_folder() -> Path:
    """The folder of the templates.

    A wheel carries them as ``pidreg_cli/templates``; an editable install and a checkout have them beside the
    package.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    for folder in (_PACKAGE / "templates", _PACKAGE.parent / "templates"):
        if (folder / "config").is_dir():
            return folder
    raise FileNotFoundError(f"the templates of pidreg are missing beside {_PACKAGE}: reinstall the package")


def template_text(name: str) -> str:
    """The text of a template, such as ``config/balanced.yaml``."""
    return (templates_folder() / name).read_text(encoding="utf-8")
