"""Tables larger than memory: which rows do what, training rows dealt to files, the others sampled."""
