"""Figures of a report as inline SVG; each shows what the tables beside it say."""
