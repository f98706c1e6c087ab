"""From a version of a data set to the batches of training.

`local_copy` unpacks a data set for memory mapping, or `fetched_frames` reads clips that `clip_cache` fetches when they are
needed and keeps while there is room (both read the files of clips through `clip_files`); `face_data` reads rows; `sampling`
chooses the frames of a step; `batch` holds them; `resident` keeps all frames on the device. `cached_copies` removes local
copies. `describe` prints what a data set holds, and `doubt` which clips to look at first.
"""
