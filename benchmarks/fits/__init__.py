"""What benchmarks that fit share; a folder, so that ``benchmarks.run`` does not take it for a benchmark."""
