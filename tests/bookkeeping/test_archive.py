"""Archives of artefacts carry every byte, merge, and a damaged one is never taken for a sound one."""

from __future__ import annotations

import io
import lzma
import os
import random
import tarfile
from pathlib import Path

import pytest
from stores import call, filled, flip, of, put, tree

from benchmark.bookkeeping.archive import export, merge
from benchmark.bookkeeping.upkeep import Address, artefacts, damaged
from benchmark.interfaces import UserError
from benchmark.store.artefacts import MANIFEST, Store, key_of


@pytest.fixture
def full(tmp_path: Path) -> Store:
    return filled(tmp_path / "full")


# -- export and import


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz", ".tar.xz"])
def test_what_is_exported_is_imported_byte_for_byte(full: Store, tmp_path: Path, suffix: str) -> None:
    archive, copy = tmp_path / f"results{suffix}", Store(tmp_path / "copy")
    assert len(export(full, archive).done) == 6
    assert len(merge(archive, copy).done) == 6
    assert tree(copy.root) == {name: data for name, data in tree(full.root).items() if name != "scores.parquet"}
    assert list(damaged(copy)) == []
    assert list((copy.root / "tmp").iterdir()) == []


def test_a_compressed_archive_is_read_from_its_beginning_twice_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To judge it, and to take it: each step back would decompress all that is before."""
    store, archive, seek = Store(tmp_path / "many"), tmp_path / "many.tar.xz", lzma.LZMAFile.seek
    for seed in range(12):
        at = put(store, "probe", seed)
        with store.writing("embed", at.key, store.manifest(*at)["spec"]) as draft:
            for name in "abcdefgh":
                (draft.path / name).write_bytes(random.Random(name).randbytes(40_000))
    export(store, archive)
    back = []

    def watched(file: lzma.LZMAFile, offset: int, whence: int = io.SEEK_SET) -> int:
        if offset < file.tell() - tarfile.RECORDSIZE:
            back.append(offset)
        return seek(file, offset, whence)

    monkeypatch.setattr(lzma.LZMAFile, "seek", watched)
    assert len(merge(archive, Store(tmp_path / "copy")).done) == 24
    assert len(back) <= 1


def test_equal_stores_make_equal_archives(full: Store, tmp_path: Path) -> None:
    export(full, tmp_path / "a.tar")
    for path in full.root.rglob("*"):
        os.utime(path, (1, 1))
    export(full, tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_two_stores_merge_and_what_is_there_stays(full: Store, tmp_path: Path) -> None:
    other, shared = Store(tmp_path / "other"), of(full, "probe")[0]
    put(other, "probe", 8)
    with other.writing(*shared, full.manifest(*shared)["spec"]) as draft:
        (draft.path / "mine").write_bytes(b"scored on another machine")
    before, archive = tree(other.root), tmp_path / "full.tar"
    export(full, archive)
    outcome = merge(archive, other)
    assert outcome.present == [shared]
    assert len(outcome.done) == 5
    prefix = f"probe/{shared.key[:2]}/{shared.key}/"
    theirs = {name: data for name, data in tree(full.root).items() if not name.startswith((prefix, "scores"))}
    assert tree(other.root) == before | theirs
    assert merge(archive, other).done == [], "a second import finds everything"


def test_a_file_that_is_left_out_is_missed_by_no_manifest(full: Store, tmp_path: Path) -> None:
    """Predictions are large, and nothing is made from them: elsewhere the artefact is whole without."""
    archive, copy, spec = tmp_path / "slim.tar.xz", Store(tmp_path / "copy"), {"kind": "probe", "seed": 1000}
    at = Address("probe", key_of(spec))
    with full.writing(*at, spec) as draft:
        draft.info["seconds"] = 3
        for name in ("scores", "predictions"):
            (draft.path / name).write_bytes(name.encode())
    export(full, archive, without=["predictions"])
    merge(archive, copy)
    assert list(damaged(copy)) == []
    assert [path.name for path in sorted(copy.open(*at).iterdir())] == [MANIFEST, "scores"]
    assert copy.manifest(*at)["info"] == {"seconds": 3}
    others = {name: data for name, data in tree(full.root).items() if at.key not in name and name != "scores.parquet"}
    assert {name: data for name, data in tree(copy.root).items() if at.key not in name} == others


def kinds_in(archive: Path) -> set[str]:
    with tarfile.open(archive) as tar:
        return {name.split("/")[0] for name in tar.getnames()}


def test_only_some_kinds(full: Store, tmp_path: Path) -> None:
    archive = tmp_path / "some.tar"
    assert call("export", full.root, archive, "--kinds", "embed,probe").exit_code == 0
    assert kinds_in(archive) == {"embed", "probe"}
    assert call("export", full.root, archive, "--scores-only").exit_code == 0
    assert kinds_in(archive) == {"probe"}
    wrong = call("export", full.root, archive, "--kinds", "prob")
    assert "there is no prob; there are embed, pretrain, probe" in str(wrong.exception)


def test_damaged_artefacts_are_not_exported(full: Store, tmp_path: Path) -> None:
    victim = of(full, "pretrain")[0]
    flip(full.folder(*victim) / "sub" / "weights.bin")
    result = call("export", full.root, tmp_path / "a.tar")
    assert result.exit_code == 1
    assert f"damaged: pretrain {victim.key[:12]}" in result.output
    copy = Store(tmp_path / "copy")
    assert sorted(merge(tmp_path / "a.tar", copy).done) == sorted(set(artefacts(full)) - {victim})


def test_an_export_appears_as_a_whole_or_not_at_all(
    full: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(b"the last one")
    calls = iter(range(3))
    verify = Store.verify

    def cut(self: Store, kind: str, key: str) -> list[str]:
        if next(calls) == 2:
            raise OSError(28, os.strerror(28), str(archive))
        return verify(self, kind, key)

    monkeypatch.setattr(Store, "verify", cut)
    with pytest.raises(UserError, match="cannot be written"):
        export(full, archive)
    assert archive.read_bytes() == b"the last one"
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("name", ["a.zip", "a.tar.zst", "tar", "absent/a.tar"])
def test_an_export_that_cannot_be_is_refused(full: Store, tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"its name says how it is packed|cannot be written"):
        export(full, tmp_path / name)


# -- archives that are damaged


def test_a_flipped_bit_costs_its_own_artefact_alone(full: Store, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    export(full, archive)
    with tarfile.open(archive) as tar:
        weights = [member for member in tar if member.name.endswith("weights.bin")]
        manifests = [member for member in tar if member.name.endswith(MANIFEST)]
    flip(archive, weights[0].offset_data + 1000)
    flip(archive, manifests[1].offset_data + 200)
    lost = {Address(member.name.split("/")[0], member.name.split("/")[2]) for member in (weights[0], manifests[1])}
    assert len(lost) == 2
    copy = tmp_path / "copy"
    result = call("import", archive, copy)
    assert result.exit_code == 1
    assert "sub/weights.bin is not what its manifest says" in result.output
    assert "4 artefacts imported" in result.output
    assert set(artefacts(Store(copy))) == set(artefacts(full)) - lost
    assert call("verify", copy).exit_code == 0


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.xz"])
def test_an_archive_that_is_cut_short_is_never_taken_for_a_whole_one(tmp_path: Path, suffix: str) -> None:
    """At any length: also where tarfile would see its end, between two members."""
    source = Store(tmp_path / "source")
    put(source, "probe", 1)
    put(source, "probe", 2)
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    export(source, whole)
    data = whole.read_bytes()
    with tarfile.open(whole) as tar:
        end = tar.getmembers()[-1]
        last = (end.offset_data + end.size + 511) // 512 * 512 if suffix == ".tar" else len(data) - 200
    copy = Store(tmp_path / "copy")
    for length in [*range(0, last, 512), *random.Random(0).sample(range(last), 20)]:
        cut.write_bytes(data[:length])
        with pytest.raises(UserError, match="cannot be read"):
            merge(cut, copy)
    assert list(damaged(copy)) == []
    assert len(merge(whole, copy).damaged) == 0


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "text.tar").write_text("hello" * 1000)
    with pytest.raises(UserError, match="cannot be read"):
        merge(tmp_path / "text.tar", store)
    with pytest.raises(UserError, match="there is no such file"):
        merge(tmp_path / "absent.tar", store)
