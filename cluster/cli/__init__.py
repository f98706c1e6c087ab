"""Command lines over dataclasses."""
