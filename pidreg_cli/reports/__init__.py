"""The report: its model, its assembly, its renderings."""
