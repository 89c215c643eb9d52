"""Predictions of a table by a run: rows are read, predicted and written by batches, and counted on their way."""
