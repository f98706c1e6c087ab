"""Ingest clips into data sets, and open them on a node."""
