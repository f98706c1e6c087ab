"""Splits: any split.json gives each clip of a source a person and a category, or is refused in one line."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from facegan.data.ingest.clip_record import CLIPS, clip_key, downloaded_key, record_key
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.listing import SourceFile, storable
from facegan.data.ingest.sources import FoundClips, find_clips, fingerprint
from tests.fuzz.inputs import damaged, inputs, value_or_one_line

SPLIT = {
    "train": ["001", "002", "late"],
    "test": ["003"],
    "category_3": ["004"],
    "people": {"001": "anna", "002": "anna", "004": "ben"},
}
FILES = [
    *(SourceFile(f"{clip}/vid.avi", 10, "tag") for clip in ("001", "002", "003", "004")),
    *(SourceFile(f"{clip}/annot/000001.pts", 10, "tag") for clip in ("001", "002")),
]

names = st.text(max_size=4) | st.sampled_from(
    ("001", "002", "003", "004", "late", "train", "people", "\ud800", "a\nb", "../up")
)
splits = damaged(json.dumps(SPLIT).encode()) | st.dictionaries(
    st.sampled_from((*SPLIT, "category_1", "tran")), st.lists(names, max_size=4) | st.dictionaries(names, names, max_size=4)
)


def use(content: bytes) -> FoundClips:
    """The clips of a source with this split, and the names of the files that would be made of them."""
    found = find_clips(FILES, [], content, "/clips")
    fingerprint(found)
    for clip in found.clips:
        assert clip.split in ("train", "test") and clip.person and not storable(clip.clip) and clip.person.isprintable()
        key = clip_key(clip, "0" * 64, IngestConfig())
        assert record_key(key).startswith(f"{CLIPS}/") and "/" not in key and downloaded_key(clip).startswith(CLIPS)
    return found


@inputs(16.5, 150)
@given(splits.map(lambda values: json.dumps(values).encode()) | st.binary(max_size=60))
def test_any_split_is_used_or_refused_in_one_line(content: bytes) -> None:
    found = value_or_one_line("split", lambda: use(content))
    assert found is None or len(found.clips) == 4


@inputs(3, 40)
@given(st.dictionaries(st.sampled_from(("train", "test", "category_1")), st.lists(names, max_size=4)), st.data())
def test_any_names_of_clips_are_used_or_refused_in_one_line(split: dict[str, Any], data: st.DataObject) -> None:
    """The files are named as the split wants them, which the listing of a bucket allows."""
    clips = [clip for listed in split.values() for clip in listed]
    files = [SourceFile(f"{clip}/vid.avi", 10, "tag") for clip in dict.fromkeys(clips)]
    people = {clip: data.draw(names) for clip in clips[:2]}
    content = json.dumps({**split, "people": people}).encode()

    def listed() -> FoundClips:
        found = find_clips(files, [], content, "/clips")
        fingerprint(found)
        return found

    value_or_one_line("split", listed)
