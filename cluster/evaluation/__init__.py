"""Evaluate checkpoints on the cluster."""
