"""From clips to batches, in three packages: `ingest` makes files of clips, `versions` makes them versions of a data set, and
`reading` gives the rows and batches that training and evaluation use.
"""
