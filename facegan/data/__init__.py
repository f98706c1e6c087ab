"""From clips to batches: the sources of clips, face crops, the files of a data set, and sampling.

Ingest: `listing` reads a folder, `sources` finds its clips and `split` says what they are for; `frames` decodes a video;
`clip_reader` adds landmarks and rejects bad frames, `jumps` those that leave the face for one frame, and `cross_check` those
that a detector contradicts; `crop` cuts out the face; `shards` writes one Parquet file per clip (`ingest_config` says how,
`clip_record` what became of it); `manifest` makes the clips a version of a data set, whose tables are `clip_table` and
`quarantine` (`table_file`: both as Parquet files); `describe` prints what is in it, and `doubt` which clips to look at first.

Training: `local_copy` unpacks a data set for memory mapping, or `fetched_frames` reads clips that `clip_cache` fetches when
they are needed and keeps while there is room (both read the files of clips through `clip_files`); `face_data` reads rows;
`sampling` chooses the frames of a step; `batch` holds them; `resident` keeps all frames on the device. `cached_copies` removes
local copies.

Another format of annotations or videos belongs in `clip_reader` or `frames`; another layout of folders in `sources`.
"""
