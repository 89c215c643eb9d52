"""Predictions of new rows by whatever modalities they have, with intervals, explanations and a look at drift."""
