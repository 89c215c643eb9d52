"""The experiments of the paper, and of what it leaves open, one command each; together they make "
"docs/experiments.md.

An ``Experiment`` asks one question. It runs fits, which leave records (numbers that JSON can hold), and says from these
records alone what the table, the figure and the findings are. So the page can be made again without a fit.
"""
