"""The 68 landmarks: conventions, drawn maps, and what finds them in images."""
