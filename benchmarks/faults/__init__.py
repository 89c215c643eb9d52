"""Faults injected for real into every command that writes: what they leave, and what the next attempt makes of it."""
