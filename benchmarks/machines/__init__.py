"""What another processor, other versions or another seed change in a report: the same table fitted by each."""
