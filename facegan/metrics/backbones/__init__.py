"""The networks that metrics need, and their weight files."""
