"""From tables as people have them to one table ready to fit: joins, encodings, splits, findings, files."""
