"""Encoders, bottleneck, fusion, heads, and the terms of the loss."""
