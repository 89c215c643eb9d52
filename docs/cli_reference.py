"""Write docs/cli.md from the help of the commands: ``python docs/cli_reference.py``."""

from __future__ import annotations

from pathlib import Path

import typer

from pidreg_cli.cli.app import app

PAGE = Path(__file__).with_name("cli.md")
WIDTH = 100
INTRODUCTION = """# Command line

What `--help` prints, one section to a command. Written by `python docs/cli_reference.py`; a test compares it.
"""


def reference() -> str:
    """The page: the help of the program, then of each command."""
    program = typer.main.get_command(app)
    context = program.make_context("pidreg", [], resilient_parsing=True, terminal_width=WIDTH)
    parts = [INTRODUCTION, _section("pidreg", program.get_help(context))]
    for name in program.list_commands(context):
        command = program.get_command(context, name)
        inner = command.make_context(name, [], parent=context, resilient_parsing=True, terminal_width=WIDTH)
        parts.append(_section(f"pidreg {name}", command.get_help(inner)))
    return "\n".join(parts)


def _section(title: str, text: str) -> str:
    lines = [line.rstrip() for line in text.splitlines()]
    return f"## {title}\n\n```text\n" + "\n".join(lines).strip() + "\n```\n"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
