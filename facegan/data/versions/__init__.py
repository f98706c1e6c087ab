"""The versions of a data set: `manifest` names the clips of a version; its tables are `clip_table` and `quarantine`, and
`table_file` writes both as Parquet files.
"""
