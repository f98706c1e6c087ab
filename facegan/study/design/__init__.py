"""Designs, arms, budgets and the plan of a study."""
