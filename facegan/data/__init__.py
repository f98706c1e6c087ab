"""From clips on disk to batches: the 300VW folder, its rendered stand-in, crops, Parquet, sampling."""
