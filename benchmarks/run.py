"""Every benchmark one after the other: ``python -m benchmarks.run [NAME ...]``, as ``make bench`` does.

A benchmark is a module or package of this folder that prints its table when run; names choose among them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def names() -> list[str]:
    """The modules of this folder, this one aside, and the packages that can be run."""
    modules = {path.stem for path in HERE.glob("*.py")} - {"__init__", Path(__file__).stem}
    return sorted(modules | {path.parent.name for path in HERE.glob("*/__main__.py")})


def main() -> int:
    """Run the chosen benchmarks, each in a process of its own; 1 where one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    chosen = parser.parse_args().names or names()
    unknown = set(chosen) - set(names())
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    failed = []
    for name in chosen:
        print(f"\n## {name}\n", flush=True)
        start = time.perf_counter()
        code = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"], cwd=HERE.parent, check=False
        ).returncode
        print(f"\n{name}: {time.perf_counter() - start:.0f} s", flush=True)
        failed += [name] if code else []
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
