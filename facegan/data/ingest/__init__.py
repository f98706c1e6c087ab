"""From video clips to one Parquet file per clip, with face crops and landmarks.

`listing` reads a folder, `sources` finds its clips and `split` says what they are for; `frames` decodes a video; `clip_reader`
adds landmarks and rejects bad frames, `jumps` those that leave the face for one frame, and `cross_check` those that a detector
contradicts; `crop` cuts out the face; `shards` writes the file (`ingest_config` says how, `clip_record` what became of it).

Another format of annotations or videos belongs in `clip_reader` or `frames`; another layout of folders in `sources`.
"""
