"""Manifests and clip records: damaged ones end in one line for the user, whatever the damage."""

import copy
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from facegan.data.clip_record import SCHEMA_VERSION, ClipRecord, Quarantined, record_from_json
from facegan.data.ingest_config import IngestConfig
from facegan.data.listing import IngestedSource, Refused
from facegan.data.local_copy import read_newest
from facegan.data.manifest import (
    Manifest,
    make_manifest,
    manifest_hash,
    newest_version,
    parse_manifest,
    read_quarantine,
    to_bytes,
)
from facegan.errors import UserError

WRONG_VALUES: list[Any] = [
    *(None, True, -1, 0, 7, 10**30, 1.5, float("nan"), float("-inf"), "", "x", "é\u2028", [], {}, [[]], {"": None}),
    *("../../secret.parquet", "clips/../../secret.json", "/etc/passwd", "clips/a\0b.parquet", "clips\\..\\secret.json"),
]


SOURCE = IngestedSource("f", 3, [Refused("009", "an empty folder", True)])


def make_record(clip: str, quarantined: int = 1) -> ClipRecord:
    return ClipRecord(
        clip=clip,
        person=clip,
        split="train",
        category="train",
        source_sha256="0" * 64,
        key=f"{clip}-0123456789ab",
        rows=5,
        file_bytes=100,
        image_bytes=50,
        sha256="1" * 64,
        frames_read=5 + quarantined,
        quarantined=[Quarantined(clip, n + 1, "annotation missing", f"{clip}/annot/{n}.pts") for n in range(quarantined)],
        doubtful=0,
    )


def places_in(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every value inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(inner for key, item in items for inner in places_in(item, (*place, key)))]


def mutated(content: bytes, rng: random.Random) -> bytes:
    """The content with one kind of damage: cut off, a byte changed, or one or two values removed, renamed or replaced."""
    kind = rng.choice(("cut", "byte", "delete", "rename", "replace", "replace", "replace"))
    if kind == "cut":
        return content[: rng.randrange(len(content))]
    if kind == "byte":
        at = rng.randrange(len(content))
        return content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
    value = json.loads(content)
    for _ in range(rng.choice((1, 2))):
        *parents, last = rng.choice([place for place in places_in(value) if place] or [("none",)])
        holder = value
        for key in parents:
            holder = holder[key]
        if kind == "replace" or isinstance(holder, list):
            holder[last] = copy.deepcopy(rng.choice(WRONG_VALUES))
        elif last in holder:
            removed = holder.pop(last)
            if kind == "rename":
                holder[f"{last}_"] = removed
    return json.dumps(value).encode()


def fuzz(content: bytes, parse: Callable[[bytes], Any], start: str, seed: int) -> list[Any]:
    """What `parse` gives for 400 mutations; the others must each be refused by one line that begins with `start`."""
    rng, accepted, refusals = random.Random(seed), [], []
    for _ in range(400):
        damaged = mutated(content, rng)
        try:
            accepted.append(parse(damaged))
        except UserError as refused:
            refusals.append(str(refused))
    for message in refusals:
        assert message.startswith(start), message
        assert len(message.splitlines()) == 1, message
        assert "ingest" in message, "the line says what to do"
    return accepted


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return make_manifest(
        [make_record("b"), make_record("a", 0), make_record("c", 2)], IngestConfig(), synthetic=False, sources={"s": SOURCE}
    )[0]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_mutated_manifest_is_read_or_refused_in_one_line(manifest: Manifest, seed: int) -> None:
    accepted = fuzz(to_bytes(manifest), lambda content: parse_manifest(content, "set"), "--data is 'set': ", seed)
    assert 0 < len(accepted) < 200, "some changes do no harm, such as another category"
    for found in accepted:
        assert isinstance(found, Manifest) and isinstance(found.ingest, IngestConfig)
        assert found.rows == sum(clip.rows for clip in found.clips) > 0
        for path in [found.quarantine.file, *(p for clip in found.clips for p in (clip.file, clip.record))]:
            assert not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


def test_a_mutated_clip_record_is_read_or_refused_in_one_line() -> None:
    content = make_record("a", 3).to_json()
    accepted = fuzz(
        content, lambda damaged: record_from_json(damaged, "clips/a.json", "ingest it"), "clips/a.json is damaged", 2
    )
    assert 0 < len(accepted) < 200
    for record in accepted:
        assert record.frames_read == record.rows + len(record.quarantined)
        assert "/" not in record.key and "\\" not in record.key


def test_manifests_and_records_survive_a_round_trip(manifest: Manifest) -> None:
    assert parse_manifest(to_bytes(manifest), "set") == manifest
    record = make_record("a", 2)
    assert record_from_json(record.to_json(), "x", "") == record


def test_the_hash_ignores_the_place_of_the_source_and_nothing_else(manifest: Manifest) -> None:
    assert manifest_hash(replace(manifest, sources={"elsewhere": SOURCE})) == manifest_hash(manifest)
    assert manifest_hash(replace(manifest, synthetic=True)) != manifest_hash(manifest)
    again, _ = make_manifest([make_record("a", 0), make_record("c", 2), make_record("b")], IngestConfig(crop_scale=2),
                             synthetic=False, sources={})  # fmt: skip
    assert manifest_hash(again) == manifest_hash(manifest), "neither the order nor 2 instead of 2.0 matters"


def test_the_quarantine_table_lists_every_rejected_frame() -> None:
    records = [make_record("b", 2), make_record("a", 1)]
    made, table = make_manifest(records, IngestConfig(), synthetic=False, sources={})
    assert read_quarantine(table) == [*records[1].quarantined, *records[0].quarantined]
    assert (made.quarantined, made.reasons) == (3, {"annotation missing": 3})


def test_a_manifest_without_a_frame_is_refused() -> None:
    empty, _ = make_manifest([], IngestConfig(), synthetic=False, sources={})
    with pytest.raises(UserError, match="names no frame"):
        parse_manifest(to_bytes(empty), "set")


def test_another_schema_version_is_named(manifest: Manifest) -> None:
    newer = to_bytes(replace(manifest, schema_version=SCHEMA_VERSION + 1))
    with pytest.raises(UserError, match=f"made with schema {SCHEMA_VERSION + 1}, this program reads {SCHEMA_VERSION}"):
        parse_manifest(newer, "set")


def test_counts_that_do_not_add_up_are_refused(manifest: Manifest) -> None:
    with pytest.raises(UserError, match="rows is 16: the clips have 15"):
        replace(manifest, rows=16)
    for wrong in ({}, {"annotation missing": manifest.quarantined + 1}):
        with pytest.raises(UserError, match="rows and quarantined frames, by reason, must add up to it"):
            replace(manifest, reasons=wrong)
    with pytest.raises(UserError, match="the counts must add up"):
        replace(make_record("a"), rows=9)


def test_the_newest_version_is_the_highest_number(data_folder: Path) -> None:
    assert newest_version(["manifest-000002.json", "manifest-000010.json", "manifest-9.json", "x"]) == 10
    assert newest_version([]) == 0
    with pytest.raises(UserError, match="no data set"):
        read_newest(data_folder / "clips")


@pytest.mark.parametrize("depth", [900, 100_000])
def test_deep_json_is_refused_in_one_line(depth: int, manifest: Manifest) -> None:
    deep = b"[" * depth + b"]" * depth
    for content in (deep, b'{"schema_version": 5, "clips": ' + deep + b"}", to_bytes(manifest).replace(b'"train"', deep, 1)):
        with pytest.raises(UserError, match="its manifest is damaged") as refused:
            parse_manifest(content, "set")
        assert len(str(refused.value)) < 400
        with pytest.raises(UserError, match="is damaged"):
            record_from_json(content, "record", "ingest it")
