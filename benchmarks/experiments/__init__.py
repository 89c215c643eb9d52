"""The experiments of the paper, and of what it leaves open, one command each; together they make docs/experiments.md.

An ``Experiment`` asks one question. It runs fits, which leave records (numbers that JSON can hold), and says from these
records alone what the table, the figure and the findings are. So the page can be made again without a fit.
"""

from benchmarks.experiments.page import Page

INTRODUCTION = """\
# Experiments: what the paper shows, and what it leaves open

PIDReg ([arXiv 2512.22102](https://arxiv.org/abs/2512.22102)) learns a target from several groups of columns
(*modalities*) and says how much of the information about the target is in one modality alone, in several alike
(*shared*), or only in their combination. Here are its experiments, and questions that it does not answer, on synthetic
tables whose true information is known. Bits: one bit halves the spread of what remains unknown of the target, two
quarter it. *Found* is what a fit reports from rows that trained nothing.

`python -m benchmarks.experiments --save` runs all of them and writes this page, its figures and numbers
([experiments/](experiments)); `python -m benchmarks.experiments.NAME --save` one of them; `--render --save` writes page
and figures again from the saved numbers. Without `--save` all goes to a folder of its own. What follows is made by
these commands. The machine had other work: seconds are rough.
"""

PAGE = Page(
    "experiments",
    "benchmarks.experiments",
    ("truth", "rows", "no_cmi", "modality_drop", "many_modalities", "targets", "oscillation"),
    INTRODUCTION,
)
