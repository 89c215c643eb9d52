"""From information to a decision: which modalities to keep."""
