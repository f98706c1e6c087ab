"""What a study found, in words."""
