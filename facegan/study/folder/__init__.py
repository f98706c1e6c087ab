"""The study folder: the files of a study and of its trials."""
