"""Archives made to harm: nothing is written but what an export would have brought."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import put

from benchmark.bookkeeping.archive import merge
from benchmark.bookkeeping.upkeep import Address
from benchmark.interfaces import UserError
from benchmark.store.artefacts import MANIFEST, Store, content_key

KEY = content_key({"evil": 1})
PLACE = f"probe/{KEY[:2]}/{KEY}"


def sealed(contents: dict[str, bytes], **changes: object) -> bytes:
    """A manifest with a right checksum, whatever it says."""
    seals = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in contents.items()}
    manifest = {"key": KEY, "kind": "probe", "spec": {"evil": 1}, "files": seals, "info": {}, **changes}
    return json.dumps({**manifest, "sha256": content_key(manifest)}).encode()


def member(name: str, data: bytes = b"evil", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def built(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return path


LINK = {"type": tarfile.SYMTYPE, "linkname": "../../../../victim", "size": 0}
HOSTILE: dict[str, tuple[tarfile.TarInfo, bytes]] = {
    "absolute": member("/tmp/evil"),
    "up": member("../evil"),
    "up within": member(f"{PLACE}/../../../../evil"),
    "up at the end": member(f"{PLACE}/.."),
    "dots": member(f"{PLACE}/./evil"),
    "twice a slash": member(f"{PLACE}//evil"),
    "absolute within": member(f"{PLACE}//tmp/evil"),
    "no key": member("probe/evil"),
    "short key": member("probe/ab/abcdef/evil"),
    "wrong prefix": member(f"probe/{'00' if KEY[:2] != '00' else '01'}/{KEY}/evil"),
    "upper case": member(f"probe/{KEY[:2].upper()}/{KEY.upper()}x/evil"),
    "a file of the root": member("leaderboard.html"),
    "temporaries": member(f"tmp/{KEY[:2]}/{KEY}/evil"),
    "scratch": member(f"scratch/{KEY[:2]}/{KEY}/evil"),
    "no kind": member(f".git/{KEY[:2]}/{KEY}/evil"),
    "terminal codes": member(f"{PLACE}/\x1b[2J"),
    "new line": member(f"{PLACE}/a\nb"),
    "long": member(f"{PLACE}/{'a' * 300}"),
    "symbolic link": member(f"{PLACE}/evil", **LINK),
    "hard link": member(f"{PLACE}/evil", **{**LINK, "type": tarfile.LNKTYPE}),
    "folder link": member(PLACE, **LINK),
    "folder": member(f"{PLACE}/evil", type=tarfile.DIRTYPE, size=0),
    "fifo": member(f"{PLACE}/evil", type=tarfile.FIFOTYPE, size=0),
    "device": member(f"{PLACE}/evil", type=tarfile.CHRTYPE, size=0, devmajor=1, devminor=3),
    "sparse": member(f"{PLACE}/evil", type=tarfile.GNUTYPE_SPARSE),
    "huge manifest": member(f"{PLACE}/{MANIFEST}", bytes(65 * 2**20)),
}


@pytest.fixture
def besieged(tmp_path: Path) -> Iterator[Path]:
    """A folder that holds a store and something to break; nothing in it may change, whatever is imported."""
    root = tmp_path / "besieged"
    store = Store(root / "store")
    put(store, "probe", 1)
    (root / "victim").mkdir()
    (root / "victim" / "file").write_text("precious")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    yield store.root
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert not any(path.is_symlink() for path in root.rglob("*"))
    assert not any((store.root / "tmp").glob("*"))
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_member_stops_everything_before_anything_is_written(
    tmp_path: Path, besieged: Path, name: str
) -> None:
    """Even behind an artefact that is sound."""
    good = {"scores.parquet": b"score"}
    sound = [member(f"{PLACE}/{MANIFEST}", sealed(good)), member(f"{PLACE}/scores.parquet", b"score")]
    archive = built(tmp_path / "evil.tar", *(sound if name != "huge manifest" else []), HOSTILE[name])
    with pytest.raises(UserError, match="nothing was taken"):
        merge(archive, Store(besieged))


def test_a_header_that_cannot_be_read_is_a_users_mistake(tmp_path: Path, besieged: Path) -> None:
    """tarfile says ValueError of some."""
    info, data = member(f"{PLACE}/evil", pax_headers={"GNU.sparse.size": "abc", "GNU.sparse.map": "1,a"})
    (tmp_path / "evil.tar").write_bytes(info.tobuf(tarfile.PAX_FORMAT) + data + bytes(2048))
    with pytest.raises(UserError, match="cannot be read"):
        merge(tmp_path / "evil.tar", Store(besieged))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_header_of_gigabytes_is_not_read_into_memory(tmp_path: Path, besieged: Path, kind: bytes) -> None:
    info, _ = member("././@PaxHeader", type=kind, size=3 * 2**30)
    (tmp_path / "evil.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    with pytest.raises(UserError, match="a header claims 3221225472 bytes"):
        merge(tmp_path / "evil.tar", Store(besieged))


def test_a_name_that_comes_twice_is_refused(tmp_path: Path, besieged: Path) -> None:
    twice = [member(f"{PLACE}/scores.parquet", b"score"), member(f"{PLACE}/scores.parquet", b"other")]
    with pytest.raises(UserError, match="is there twice"):
        merge(built(tmp_path / "evil.tar", *twice), Store(besieged))


@pytest.mark.parametrize("size", [2**50, -1024])
def test_a_size_that_cannot_be_is_refused(tmp_path: Path, besieged: Path, size: int) -> None:
    info, data = member(f"{PLACE}/evil")
    info.size = size
    archive = tmp_path / "evil.tar"
    archive.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + data + bytes(2048))
    with pytest.raises(UserError, match=r"MB free|claims -1024 bytes|cannot be read"):
        merge(archive, Store(besieged))


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[" * 100_000,
        b'{"sha256": 1}',
        b"[1]",
        sealed({"evil": b"evil"}).replace(b"probe", b"embed"),
        sealed({"evil": b"good"}),
        sealed({}),
        sealed({"evil": b"evil", "more": b""}),
        sealed({"evil": b"evil", "../victim/file": b"precious"}),
        sealed({"evil": b"evil"}, key="0" * 64),
        sealed({"evil": b"evil"}, kind="embed"),
        sealed({"evil": b"evil"}, spec=[]),
        sealed({"evil": b"evil"}, spec={"anything": 1}),
        sealed({"evil": b"evil"}, info="text"),
        sealed({}, files=["evil"]),
    ],
    ids=range(15),
)
def test_a_manifest_that_does_not_fit_costs_its_artefact(tmp_path: Path, besieged: Path, manifest: bytes) -> None:
    archive = built(tmp_path / "evil.tar", member(f"{PLACE}/{MANIFEST}", manifest), member(f"{PLACE}/evil"))
    outcome = merge(archive, Store(besieged))
    assert [damage.at for damage in outcome.damaged] == [Address("probe", KEY)]
    assert outcome.done == []


def test_a_file_that_is_also_a_folder_costs_its_artefact(tmp_path: Path, besieged: Path) -> None:
    files = {"a": b"1", "a/b": b"2"}
    members = [member(f"{PLACE}/{name}", data) for name, data in files.items()]
    archive = built(tmp_path / "evil.tar", member(f"{PLACE}/{MANIFEST}", sealed(files)), *members)
    assert len(merge(archive, Store(besieged)).damaged) == 1


def test_an_artefact_without_manifest_is_damaged(tmp_path: Path, besieged: Path) -> None:
    assert len(merge(built(tmp_path / "evil.tar", member(f"{PLACE}/evil")), Store(besieged)).damaged) == 1
