"""Figures and the report, made from a study folder."""
