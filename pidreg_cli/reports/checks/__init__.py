"""Verdicts of ``pidreg check`` as text, JSON, annotations of GitHub Actions and JUnit XML."""
