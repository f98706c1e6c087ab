"""Judging generated faces against people never trained on."""
