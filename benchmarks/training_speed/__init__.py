"""What training costs, side by side with the same network without PID and regularisers; makes docs/speed.md.

Times are CPU seconds of the one thread that works, so that a busy machine shifts them little; variants take turns.
"""

from benchmarks.experiments.page import Page

INTRODUCTION = """\
# Speed: what training costs

*Bare* is the same network, trained by the same optimiser on the same batches, without anything that PIDReg adds: no
weights that follow the decomposition, no terms that shape the codes, no heads for sets of modalities. Times are CPU
time of one thread, but of whole fits and commands the time that passes; all lines of a table were measured in turns.

`python -m benchmarks.training_speed --save` measures everything and writes this page, its figures and numbers
([speed/](speed)); `python -m benchmarks.training_speed.NAME --save` one section; `--render --save` writes the page
again from the saved numbers. Without `--save` all goes to a folder of its own. Where time goes, and what was done about
it: [benchmarks/README.md](../benchmarks/README.md).

All of it is of a CPU. On a GPU nothing was measured: none was at hand.
"""

PAGE = Page(
    "speed",
    "benchmarks.training_speed",
    ("steps", "rows", "modalities", "columns", "cores", "fits", "information", "startup"),
    INTRODUCTION,
)
