"""Files, roles, splits and transforms: from a table to arrays."""
