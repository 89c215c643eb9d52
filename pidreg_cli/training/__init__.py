"""The two stages, the protocol of folds, checkpoints."""
