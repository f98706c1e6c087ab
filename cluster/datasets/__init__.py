"""Data sets: from clips in a folder or a bucket to a versioned set of face crops and landmarks, made by Ray tasks.

`source` lists the clips, `ingest` makes a version of a data set from them (`ingest_request`: how; `ingest_task`: one clip;
`moved_people`: who would change sides of the split; `progress`: lines on the console; `publish`: the next version), `dataset`
opens a version on any node, and `prepare` turns the flags of a job into a data set. `verify` checks a data set's files.
`remove` deletes a clip for good, and `removed` knows which.

To bring a data set of videos, no code changes: put the clips in a folder (<clip>.mp4, or <clip>/ with a video or images, and
<clip>/annot/*.pts if there are landmarks) and name the split in split.json: {"train": [clips], "test": [clips]}. If a person
has several clips (VoxCeleb), add "people": {"<clip>": "<person>"}; validation, comparisons between people and intervals then
use people instead of clips. Annotations in another format take one file, `facegan/data/ingest/clip_reader.py`, which reads .pts
files; another layout of folders takes `facegan/data/ingest/sources.py` (`find_clips`).
"""
