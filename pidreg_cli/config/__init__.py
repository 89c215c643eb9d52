"""Settings: their model, the presets, and how files and options are merged."""
