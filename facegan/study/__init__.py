"""Designs, plans and what a study found."""
