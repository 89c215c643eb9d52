"""Information of Gaussian systems: pure functions, arrays in, arrays out, bits."""
