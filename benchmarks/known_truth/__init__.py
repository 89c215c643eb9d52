"""What a fit finds in systems whose information is known, against the truth."""
