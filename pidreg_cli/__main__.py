"""``python -m pidreg_cli`` is ``pidreg``."""

from __future__ import annotations

import sys

from pidreg_cli.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
