"""Run the trials of a study on Ray and write its outputs."""
