"""``python -m pidreg_cli`` is ``pidreg``."""

from __future__ import annotations

import signal
import sys

from pidreg_cli.importing import uncollected


def run() -> int:
    """Start the program: what the installed command calls."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        # Ctrl-C while modules are read: end at once, instead of with a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    with uncollected():
        from pidreg_cli.cli.app import main

    signal.signal(signal.SIGINT, handler)
    return main()


if __name__ == "__main__":
    sys.exit(run())
