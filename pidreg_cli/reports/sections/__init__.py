"""The sections of a rendered report, each from the report model alone."""
