"""Writes the three files of a video: the mp4, its scores, and the JSON that says how it was made."""

from pathlib import Path

import pyarrow.parquet as pq

from facegan.files import file_sha256, replacing, write_json
from facegan.reenact.film import FrameCounts, Reenactment, write_video
from facegan.reenact.frame_scores import FrameScores
from facegan.reenact.options import files_beside
from facegan.reenact.provenance import Provenance, comment, manifest


def write_files(out: Path, reenactment: Reenactment, scores: FrameScores, provenance: Provenance, counts: FrameCounts) -> None:
    """Write the video and what lies beside it; the video appears last, so that none is ever without its provenance.

    If anything fails before that, no file is written. `counts` is brought up to date frame by frame.
    """
    table_file, manifest_file = files_beside(out)
    with replacing(out) as video, replacing(table_file) as table:
        write_video(video, reenactment, scores, counts, comment(provenance))
        pq.write_table(scores.table(float(reenactment.driving.rate)), table)
        frames = {"drawn": counts.drawn, "held": counts.held.total(), "not_in_the_video": counts.absent.total()}
        write_json(manifest_file, manifest(provenance, out, file_sha256(video), frames, counts.reference))
