"""All experiments and their page: ``python -m benchmarks.experiments [--render]``."""

from benchmarks.experiments import PAGE
from benchmarks.experiments.command import main

if __name__ == "__main__":
    main(PAGE)
