"""Which modalities to keep: decided again for a run, or from a table, with or without a fit; verified by retraining."""
