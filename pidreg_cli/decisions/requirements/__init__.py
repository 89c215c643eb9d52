"""What a report must say: requirements, drift from a baseline, rules in a file. Works on the report as plain JSON."""
