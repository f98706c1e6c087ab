"""Checks of a machine before a job."""
