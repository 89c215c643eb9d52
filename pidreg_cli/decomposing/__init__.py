"""Decompositions after or without a fit: of a run, of new rows read by its model, of the features of a table."""
