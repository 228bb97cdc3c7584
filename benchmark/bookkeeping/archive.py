"""Artefacts as one tar archive: results move between machines, and merge.

An archive holds `<kind>/<k[:2]>/<k>/<file>`, each artefact's manifest first. Nothing of it is trusted: all names, types
and sizes are judged before anything is written, and only the bytes of plain files are ever taken from it, into drafts
that appear if they are what their manifest says. (So tarfile extracts nothing, and its filters have nothing to do.)
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import lzma
import re
import shutil
import tarfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal

from benchmark.bookkeeping.upkeep import Address, Damage, about, artefacts
from benchmark.files import replacing
from benchmark.interfaces import UserError
from benchmark.store.artefacts import (
    MANIFEST,
    RESERVED,
    CorruptArtefact,
    DiskFull,
    Store,
    manifest_text,
    parse_manifest,
)

_MODES: dict[str, Literal["w", "w:gz", "w:xz"]] = {".tar": "w", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.xz": "w:xz"}
_NAME = re.compile(r"([a-z][a-z0-9_-]*)/([0-9a-f]{2})/(\2[0-9a-f]{62})/(.+)")
#: a manifest is read into memory
_MANIFEST_BYTES = 64 * 2**20
#: of a header that says more than a name of 100 characters
_HEADER_BYTES = 2**20
_CHUNK = 2**20


class _Member(tarfile.TarInfo):
    """A member whose header is small: tarfile reads all of a long one into memory, whatever it claims."""

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        if self.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) and self.size > _HEADER_BYTES:
            raise tarfile.ReadError(f"a header claims {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc]


@dataclass
class Outcome:
    """What became of each artefact: `done` is in the archive (or store) now, `present` was in the store before."""

    done: list[Address] = field(default_factory=list)
    present: list[Address] = field(default_factory=list)
    damaged: list[Damage] = field(default_factory=list)


def export(
    store: Store,
    archive: Path,
    kinds: Collection[str] = (),
    keys: Collection[str] | None = None,
    without: Collection[str] = (),
) -> Outcome:
    """Write all sound artefacts (or some) into one archive, which appears as a whole. Damaged ones are left out.

    Args:
        store: from where; every byte of it is checked against the manifests.
        archive: .tar, .tar.gz, .tgz or .tar.xz; equal stores make equal .tar files.
        kinds: by default all.
        keys: of those, the artefacts of these keys; by default all.
        without: files that are left out of every artefact, and of its manifest: what nothing is made from.

    Raises:
        UserError: another suffix, a kind that is not there, or `archive` cannot be written.
    """
    mode = next((mode for suffix, mode in _MODES.items() if archive.name.endswith(suffix)), None)
    if mode is None:
        raise UserError(f"{archive}: its name says how it is packed: {', '.join(_MODES)}")
    chosen = [at for at in _of_kinds(store, kinds) if keys is None or at.key in keys]
    try:
        with replacing(archive) as draft, tarfile.open(draft, mode) as tar:
            outcome = _write(tar, store, chosen, without)
    except OSError as error:
        raise UserError(f"{archive}: cannot be written ({error.strerror}: {error.filename or archive})") from error
    return outcome


def _of_kinds(store: Store, kinds: Collection[str]) -> list[Address]:
    all_ = artefacts(store)
    there = sorted({at.kind for at in all_})
    absent = sorted(set(kinds) - set(there))
    if absent:
        raise UserError(f"{store.root}: there is no {', no '.join(absent)}; there are {', '.join(there) or 'no kinds'}")
    return [at for at in all_ if not kinds or at.kind in kinds]


def _write(tar: tarfile.TarFile, store: Store, chosen: list[Address], without: Collection[str]) -> Outcome:
    outcome = Outcome()
    for at in chosen:
        problems, folder = store.verify(*at), store.folder(*at)
        if problems and folder.is_dir():
            outcome.damaged.append(Damage(at, about(store, at), problems))
        if problems:
            continue
        with contextlib.ExitStack() as stack:
            try:
                manifest = store.manifest(*at)
                manifest["files"] = {name: seal for name, seal in manifest["files"].items() if name not in without}
                streams = {name: stack.enter_context((folder / name).open("rb")) for name in manifest["files"]}
            except (CorruptArtefact, FileNotFoundError):  # a run has let it go meanwhile
                continue
            _add(tar, store, folder / MANIFEST, io.BytesIO(manifest_text(manifest)))
            for name, stream in streams.items():
                _add(tar, store, folder / name, stream)
        outcome.done.append(at)
    return outcome


def _add(tar: tarfile.TarFile, store: Store, path: Path, stream: BinaryIO) -> None:
    member = tarfile.TarInfo(path.relative_to(store.root).as_posix())
    member.size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    tar.addfile(member, stream)


def merge(archive: Path, store: Store) -> Outcome:
    """Bring an archive's artefacts into a store. What is there already stays; what is damaged is left out.

    Raises:
        UserError: it is no archive of artefacts, is cut short, or does not fit on the disk.
    """
    try:
        with tarfile.open(archive, "r:*", tarinfo=_Member) as tar:
            store.prepare()
            return _place(tar, store, _judge(tar, archive, store))
    except FileNotFoundError as error:
        raise UserError(f"{archive}: there is no such file") from error
    except DiskFull as error:
        raise UserError(str(error)) from error
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise UserError(
            f"{archive}: cannot be read ({error}); copy it again, and import it again: what is there stays"
        ) from error


def _judge(tar: tarfile.TarFile, archive: Path, store: Store) -> dict[Address, dict[str, tarfile.TarInfo]]:
    """The members by artefact and name, if all of them are what an export writes."""
    found: dict[Address, dict[str, tarfile.TarInfo]] = {}
    free, total = shutil.disk_usage(store.root).free, 0
    for member in tar:
        at, name, fault = _address(member)
        files = found.setdefault(at, {})
        fault = fault or ("is there twice" if name in files else "")
        if fault:
            raise UserError(f"{archive}: {member.name!r} {fault}; this is no export of a store, nothing was taken")
        total += 0 if store.is_done(*at) else member.size
        if max(member.size, total) > free:
            raise UserError(
                f"{archive}: {member.name!r} makes it {max(member.size, total) / 2**20:,.0f} MB, and {store.root} has "
                f"{free / 2**20:,.0f} MB free; free as much, or import into another folder; nothing was taken"
            )
        files[name] = member
    _check_end(tar)
    return found


def _check_end(tar: tarfile.TarFile) -> None:
    """An archive ends with a block of zeros; tarfile also stops, in silence, where it is cut or a header is damaged."""
    stream: Any = tar.fileobj
    stream.seek(tar.offset)  # where the next header is, or the end
    if stream.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
        raise tarfile.ReadError(f"it is cut short or damaged at byte {tar.offset}")


def _address(member: tarfile.TarInfo) -> tuple[Address, str, str]:
    """Whose file a member is, its name there, and what is wrong with it."""
    match = _NAME.fullmatch(member.name)
    if match is None or match[1] in RESERVED:
        return Address("", ""), "", "is not named kind/xx/key/file"
    at, name = Address(match[1], match[3]), match[4]
    # an empty part is a slash at the beginning, and the path would start at the disk's root
    if len(name) > 255 or not name.isprintable() or not {"", ".", ".."}.isdisjoint(name.split("/")):
        return at, name, "has a name that artefacts do not use"
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
        return at, name, "is not a plain file"
    if member.size < 0 or (name == MANIFEST and member.size > _MANIFEST_BYTES):
        return at, name, f"claims {member.size} bytes"
    return at, name, ""


def _place(tar: tarfile.TarFile, store: Store, found: dict[Address, dict[str, tarfile.TarInfo]]) -> Outcome:
    outcome = Outcome()
    for at, files in found.items():
        if store.is_done(*at):
            outcome.present.append(at)
            continue
        try:
            _take(tar, store, at, files)
            outcome.done.append(at)
        except CorruptArtefact as error:
            outcome.damaged.append(Damage(at, "", error.problems))
    return outcome


def _take(tar: tarfile.TarFile, store: Store, at: Address, files: dict[str, tarfile.TarInfo]) -> None:
    manifest = _manifest(tar, files, at)
    with store.writing(*at, manifest["spec"]) as draft:
        draft.info.update(manifest["info"])
        # in their order: to go back in a compressed archive is to read it again from its beginning
        seals = {name: _copy(tar, member, draft.path / name) for name, member in files.items() if name != MANIFEST}
        wrong = sorted(
            name for name in seals.keys() | manifest["files"].keys() if seals.get(name) != manifest["files"].get(name)
        )
        if wrong:
            raise CorruptArtefact(*at, [f"{name} is not what its manifest says" for name in wrong])


def _manifest(tar: tarfile.TarFile, files: dict[str, tarfile.TarInfo], at: Address) -> dict[str, Any]:
    """The manifest of a member, if it is whole, and of this artefact.

    Raises:
        CorruptArtefact: it is not, or the names of the files cannot all be on one disk (`a` and `a/b`).
    """
    if MANIFEST not in files or any(str(parent) in files for name in files for parent in PurePosixPath(name).parents):
        raise CorruptArtefact(*at, [f"{MANIFEST} is missing, or a file's name is also a folder's"])
    try:
        return parse_manifest(_stream(tar, files[MANIFEST]).read(), *at)
    except ValueError as error:
        raise CorruptArtefact(*at, [str(error)]) from error


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> dict[str, Any]:
    """Write a member's bytes; return what a manifest says of such a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, stream = hashlib.sha256(), _stream(tar, member)
    with path.open("wb") as copy:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
    return {"bytes": member.size, "sha256": digest.hexdigest()}


def _stream(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Any:
    stream = tar.extractfile(member)
    assert stream is not None  # `_judge` lets only plain files pass
    return stream
