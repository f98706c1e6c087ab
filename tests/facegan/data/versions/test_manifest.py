"""Manifests and clip records: damaged ones end in one line for the user, whatever the damage."""

import copy
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from facegan.data.ingest.clip_record import ClipRecord, Quarantined, record_from_json
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.listing import IngestedSource, Refused
from facegan.data.reading.local_copy import read_newest
from facegan.data.versions.clip_table import ClipTable
from facegan.data.versions.manifest import (
    SCHEMA_VERSION,
    DamagedManifest,
    Manifest,
    make_manifest,
    manifest_hash,
    newest_version,
    read_manifest,
    to_bytes,
    without_clip,
)
from facegan.data.versions.quarantine import QuarantineTable
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


RECORDS = [make_record("b"), make_record("a", 0), make_record("c", 2)]


def made(
    records: list[ClipRecord], before: tuple[ClipTable, QuarantineTable] | None = None
) -> tuple[Manifest, dict[str, bytes]]:
    """A manifest of some records, and its tables."""
    return make_manifest(records, IngestConfig(), synthetic=False, sources={"s": SOURCE}, before=before)


def parsed(content: bytes, tables: dict[str, bytes]) -> Manifest:
    """The manifest in these bytes, beside these tables."""

    def read(key: str) -> bytes:
        if key not in {"m", *tables}:
            raise FileNotFoundError(key)
        return content if key == "m" else tables[key]

    return read_manifest(read, "m", "set")


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return made(RECORDS)[0]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_mutated_manifest_is_read_or_refused_in_one_line(seed: int) -> None:
    manifest, tables = made(RECORDS)
    accepted = fuzz(to_bytes(manifest), lambda content: parsed(content, tables), "data set 'set': ", seed)
    assert 0 < len(accepted) < 200, "some changes do no harm, such as another source"
    for found in accepted:
        assert isinstance(found, Manifest) and isinstance(found.ingest, IngestConfig)
        assert found.clips == manifest.clips and found.rows == 15
        for path in [found.quarantine.file, *(clip.file for clip in found.clips)]:
            assert not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


@pytest.mark.parametrize("kind", ["clips", "quarantine"])
def test_a_damaged_table_is_refused_and_a_missing_one_too(kind: str) -> None:
    manifest, tables = made(RECORDS)
    (name,) = (name for name in tables if name.startswith(kind))
    flipped = tables[name][:-1] + bytes([tables[name][-1] ^ 1])
    if kind == "quarantine":  # which only those read that need it
        assert parsed(to_bytes(manifest), {n: c for n, c in tables.items() if n != name}) == manifest
        with pytest.raises(UserError, match="no Parquet file that can be read"):
            QuarantineTable(flipped)
        return
    with pytest.raises(DamagedManifest, match=r"clips-.*parquet is damaged: it is not what was written .*; make a new version"):
        parsed(to_bytes(manifest), tables | {name: flipped})
    with pytest.raises(DamagedManifest, match=r"clips-.*parquet is missing; make a new version"):
        parsed(to_bytes(manifest), {})


def test_a_mutated_clip_record_is_read_or_refused_in_one_line() -> None:
    content = make_record("a", 3).to_json()
    accepted = fuzz(
        content, lambda damaged: record_from_json(damaged, "clips/a.json", "ingest it"), "clips/a.json is damaged", 2
    )
    assert 0 < len(accepted) < 200
    for record in accepted:
        assert record.frames_read == record.rows + len(record.quarantined)
        assert "/" not in record.key and "\\" not in record.key


def test_manifests_and_records_survive_a_round_trip() -> None:
    manifest, tables = made(RECORDS)
    assert parsed(to_bytes(manifest), tables) == manifest
    assert len(to_bytes(manifest)) < 2000, "the clips are in their table"
    record = make_record("a", 2)
    assert record_from_json(record.to_json(), "x", "") == record


def test_the_hash_ignores_the_place_of_the_source_and_nothing_else(manifest: Manifest) -> None:
    assert manifest_hash(replace(manifest, sources={"elsewhere": SOURCE})) == manifest_hash(manifest)
    assert manifest_hash(replace(manifest, synthetic=True)) != manifest_hash(manifest)
    again, _ = make_manifest([make_record("a", 0), make_record("c", 2), make_record("b")], IngestConfig(crop_scale=2),
                             synthetic=False, sources={})  # fmt: skip
    assert manifest_hash(again) == manifest_hash(manifest), "neither the order nor 2 instead of 2.0 matters"
    for changed in ({"sha256": "2" * 64}, {"person": "other"}, {"category": "x"}, {"image_bytes": 51}):
        other, _ = made([*RECORDS[:2], replace(RECORDS[2], **changed)])
        assert manifest_hash(other) != manifest_hash(manifest), changed


def test_a_version_that_is_extended_or_reduced_is_the_one_made_at_once() -> None:
    whole, tables = made(RECORDS)
    before, of_before = made([RECORDS[2], replace(RECORDS[0], sha256="5" * 64)])
    quarantine = QuarantineTable(of_before[before.quarantine.file])
    assert made(RECORDS[:2], before=(before.clips, quarantine)) == (whole, tables)
    smaller = without_clip(whole, "b", QuarantineTable(tables[whole.quarantine.file]))
    assert smaller == made([RECORDS[1], RECORDS[2]])
    assert smaller[0].reasons == {"annotation missing": 2}


def test_the_quarantine_table_lists_every_rejected_frame() -> None:
    records = [make_record("b", 2), make_record("a", 1)]
    manifest, tables = made(records)
    rows = QuarantineTable(tables[manifest.quarantine.file]).rows()
    assert rows == [*records[1].quarantined, *records[0].quarantined]
    assert (manifest.quarantined, manifest.reasons) == (3, {"annotation missing": 3})


def test_a_manifest_without_a_frame_is_refused() -> None:
    empty, tables = made([])
    with pytest.raises(UserError, match="names no frame"):
        parsed(to_bytes(empty), tables)


def test_another_schema_version_is_named(manifest: Manifest) -> None:
    newer = to_bytes(manifest).replace(b'version": %d' % SCHEMA_VERSION, b'version": %d' % (SCHEMA_VERSION + 1))
    with pytest.raises(UserError, match=f"made with schema {SCHEMA_VERSION + 1}, this program reads {SCHEMA_VERSION}"):
        parsed(newer, {})


def test_counts_that_do_not_add_up_are_refused() -> None:
    manifest, tables = made(RECORDS)
    content = json.loads(to_bytes(manifest))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"rows": 16, "frames_read": 19}, "19 frames read and 16 rows of 3 clips, its clip table 18 and 15 of 3"),
        ({"rows": 16}, "rows and quarantined frames, by reason, must add up to it"),
        ({"reasons": {}}, "rows and quarantined frames, by reason, must add up to it"),
        ({"quarantine": content["quarantine"] | {"rows": 4}}, "rows and quarantined frames, by reason, must add up to it"),
        ({"clips": content["clips"] | {"rows": 4}}, "15 rows of 4 clips, its clip table 18 and 15 of 3"),
    ]
    for changed, said in wrong:
        with pytest.raises(DamagedManifest, match=said):
            parsed(json.dumps(content | changed).encode(), tables)
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
    for content in (deep, b'{"schema_version": 5, "clips": ' + deep + b"}", to_bytes(manifest).replace(b'"s"', deep, 1)):
        with pytest.raises(UserError, match="its manifest is damaged") as refused:
            parsed(content, {})
        assert len(str(refused.value)) < 400
        with pytest.raises(UserError, match="is damaged"):
            record_from_json(content, "record", "ingest it")
