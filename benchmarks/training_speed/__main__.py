"""All of docs/speed.md: ``python -m benchmarks.training_speed [--render]``."""

from benchmarks.experiments.command import main
from benchmarks.training_speed import PAGE

if __name__ == "__main__":
    main(PAGE)
