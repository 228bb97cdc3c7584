"""Artefacts by content: the folder of a key is complete or it is not there.

Layout under the root:
    <kind>/<k[:2]>/<k>/          an artefact's files and, written last, its manifest.json
    scratch/<kind>/<k>/          checkpoints of an unfinished job; survives a kill, goes with the commit
    tmp/<k>.<host>.<pid>.<n>/    drafts, and what is on its way out; `sweep` clears those of dead processes

Only a rename brings a folder from `tmp` to its place, so a kill at any moment leaves nothing half there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.files import ABSENT, host_name, is_orphan, patiently
from benchmark.interfaces import UserError

MANIFEST = "manifest.json"
KEY = re.compile(r"[0-9a-f]{64}")
#: folders of a store that hold no artefacts
RESERVED = ("tmp", "scratch", "locks", "logs", "outputs")
#: files up to this size are checksummed whenever a job opens their artefact; larger ones only by `check`
HASHED_AT_OPEN = 64 * 2**20
#: what a specification tells the job that makes the artefact, on which its key does not depend
ASIDE = ("allow_missing", "continues", "export", "hears", "unedited")

_DIGESTS: dict[tuple[str, int, int], str] = {}


class CorruptArtefact(Exception):
    """An artefact is missing or is not what was written. `key` is its job's: the walk runs that one again."""

    def __init__(self, kind: str, key: str, problems: list[str]) -> None:
        super().__init__(kind, key, problems)
        self.kind, self.key, self.problems = kind, key, problems

    def __str__(self) -> str:
        return f"{self.kind} {self.key[:12]}: {'; '.join(self.problems)}; run again to rebuild it"


class DiskFull(OSError):
    """No space was left for a draft. Whatever was complete is still there."""


@dataclass
class Draft:
    """An artefact being made: write files under `path`, put what later readers may want to know in `info`."""

    path: Path
    info: dict[str, Any] = field(default_factory=dict)


def content_key(spec: Mapping[str, Any]) -> str:
    """Hash a specification: sha256 of its canonical JSON. The order of dict keys is irrelevant, 1 is not 1.0.

    Raises:
        TypeError: if it holds anything but str, int, float, bool, None, list and dict; names the place.
        ValueError: if it holds a NaN or an infinity.
    """
    _check_plain(spec, "spec")
    return _hash(spec)


def key_of(spec: Mapping[str, Any]) -> str:
    """The key of what a specification specifies."""
    return content_key({name: value for name, value in spec.items() if name not in ASIDE})


def _hash(plain: Mapping[str, Any]) -> str:
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _check_plain(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            # JSON would turn the key 1 into "1": two specifications, one content key
            if not isinstance(name, str):
                raise TypeError(f"{where}: the key {name!r} is not a string")
            _check_plain(item, f"{where}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_plain(item, f"{where}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where}: {value} has no place in a key")
    elif not (value is None or isinstance(value, str | int | float)):
        raise TypeError(f"{where}: {type(value).__name__} has no canonical form; use str, int, float, bool, list, dict")


class Store:
    """A folder of artefacts, shared by the driver and its workers; it may be read-only, or not there."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root).absolute()
        self._tmp = self.root / "tmp"

    def prepare(self, kinds: Iterable[str] = ()) -> None:
        """Make sure, before there is much to write, that something can be written.

        Args:
            kinds: of what will be.

        Raises:
            UserError: the root cannot be made or written to, or a kind's folder is on another disk.
        """
        try:
            self._tmp.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._tmp):
                pass
            disk = self._tmp.stat().st_dev
            places = [self.root / kind for kind in sorted(kinds)]
            apart = [place for place in places if place.is_dir() and place.stat().st_dev != disk]
        except OSError as error:
            raise UserError(
                f"{self.root}: cannot be written to ({error.strerror}); "
                "make it writable, or choose another folder with --data-dir (data) or --out (results)"
            ) from error
        if apart:
            raise UserError(
                f"{apart[0]} is on another disk than {self._tmp}, from where artefacts are renamed into place; "
                "move the whole folder to that disk, or choose one there with --data-dir (data) or --store (results)"
            )

    def folder(self, kind: str, key: str) -> Path:
        """Where an artefact lies, whether it is there or not."""
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", kind) or kind in RESERVED:
            raise ValueError(f"{kind!r} is not a kind: lower-case letters, digits, - and _; not {', '.join(RESERVED)}")
        if not KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not a key: 64 hex digits")
        return self.root / kind / key[:2] / key

    def scratch(self, kind: str, key: str) -> Path:
        """The work folder of an unfinished job, made if need be; gone once its artefact is committed."""
        path = self._scratch(kind, key)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def is_done(self, kind: str, key: str) -> bool:
        """Whether the artefact is there with every file at its recorded size; nothing is hashed."""
        return not _problems(self.folder(kind, key), kind, key)

    def verify(self, kind: str, key: str) -> list[str]:
        """Read every byte of an artefact; return what is wrong with it.

        Raises:
            OSError: it cannot be read, which says nothing about it; so do all methods that read.
        """
        folder = self.folder(kind, key)
        try:
            return _problems(folder, kind, key, _sha256, math.inf) or _unlisted(folder, kind, key)
        except ValueError as error:  # its manifest went meanwhile
            return [str(error)]

    def check(self, kind: str, key: str) -> bool:
        """Whether the artefact is sound to the last byte. A file is read again only if it changed."""
        return not _problems(self.folder(kind, key), kind, key, _remembered_sha256, math.inf)

    def open(self, kind: str, key: str) -> Path:
        """The folder of an artefact about to be read. Checks all sizes, and checksums up to 64 MB a file.

        Raises:
            CorruptArtefact: if it is missing or damaged; it has been discarded, so that it is made again.
        """
        folder = self.folder(kind, key)
        problems = _problems(folder, kind, key, _remembered_sha256, HASHED_AT_OPEN)
        if problems:
            self.discard(kind, key)
            raise CorruptArtefact(kind, key, problems)
        return folder

    def manifest(self, kind: str, key: str) -> dict[str, Any]:
        """What was recorded with an artefact: `key`, `kind`, `spec`, `files`, `info`.

        Raises:
            CorruptArtefact: if there is no sound manifest.
        """
        try:
            return _read_manifest(self.folder(kind, key), kind, key)
        except ValueError as error:
            raise CorruptArtefact(kind, key, [str(error)]) from error

    @contextlib.contextmanager
    def writing(self, kind: str, key: str, spec: dict[str, Any]) -> Iterator[Draft]:
        """Make an artefact: it appears as a whole when the block ends, and not at all if the block raises.

        If a complete one has appeared meanwhile, that one stays; a damaged one is replaced.

        Raises:
            DiskFull: if the space ran out within the block.
            ValueError: the key is not that of `spec`.
        """
        if key_of(spec) != key:
            raise ValueError(f"{kind} {key[:12]} is not the key of {spec}")
        draft = Draft(self._temporary(key))
        try:
            draft.path.mkdir(parents=True)
            yield draft
            _write_manifest(draft, kind, key, spec)
            self._place(draft.path, kind, key)
        except Exception as error:
            if _is_disk_full(error, self.root):
                raise DiskFull(self._advice(kind, draft.path)) from error
            raise
        finally:
            shutil.rmtree(draft.path, ignore_errors=True)
        shutil.rmtree(self._scratch(kind, key), ignore_errors=True)

    def discard(self, kind: str, key: str) -> None:
        """Remove an artefact; nothing happens if it is not there."""
        doomed = self._temporary(key)
        doomed.parent.mkdir(parents=True, exist_ok=True)
        # renamed first: while a large folder is being deleted it must not look half complete to anyone
        with contextlib.suppress(FileNotFoundError):
            self.folder(kind, key).rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def sweep(self) -> list[Path]:
        """Remove the drafts that killed processes of this host left; return them. Other hosts clear their own."""
        places = [place for place in (self._tmp, self.root / "locks", self.root) if place.is_dir()]
        left = [path for place in places for path in sorted(place.iterdir()) if is_orphan(path.name)]
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True) if path.is_file() else None
        return left

    def _temporary(self, key: str) -> Path:
        return self._tmp / f"{key}.{host_name()}.{os.getpid()}.{secrets.token_hex(4)}"

    def _scratch(self, kind: str, key: str) -> Path:
        self.folder(kind, key)  # refuses a bad kind or key
        return self.root / "scratch" / kind / key

    def _place(self, draft: Path, kind: str, key: str) -> Path:
        target = self.folder(kind, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        while not self.is_done(kind, key):
            self.discard(kind, key)
            try:
                return draft.rename(target)
            except OSError as error:
                # another process was faster: look at what it put there
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
        return target

    def _advice(self, kind: str, draft: Path) -> str:
        disk = os.statvfs(self.root)
        if disk.f_files and disk.f_favail < 2 and disk.f_bavail * disk.f_frsize > 2**16:
            return (
                f"No space left on {self.root}: its file system holds no more than {disk.f_files:,} files of any size "
                "(inodes). Delete some there, or use --data-dir (data) or --store (results) on another one; "
                "nothing is lost, run again"
            )
        written = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
        return (
            f"No space left on {self.root}: {kind} had written {human_bytes(written)} when "
            f"{human_bytes(shutil.disk_usage(self.root).free)} were free. Free {human_bytes(written)} or more there, "
            "or use --data-dir (data) or --store (results) on a larger disk; nothing is lost, run again"
        )


def _read_manifest(folder: Path, kind: str, key: str) -> dict[str, Any]:
    try:
        text = patiently(Path.read_bytes, folder / MANIFEST)
    except ABSENT:
        raise ValueError(f"{MANIFEST} is missing") from None
    return parse_manifest(text, kind, key)


def parse_manifest(text: bytes, kind: str, key: str) -> dict[str, Any]:
    """What a manifest says, if it is whole, and of the artefact of this key.

    Raises:
        ValueError: it is not; says why.
    """
    try:
        manifest = json.loads(text)
        claimed = manifest.pop("sha256")
        sound = (claimed, manifest["key"], manifest["kind"]) == (_hash(manifest), key, kind)
        specified = key_of(manifest["spec"])
        whole = all(isinstance(manifest[name], dict) for name in ("files", "info"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{MANIFEST} is damaged ({type(error).__name__})") from error
    if not (sound and whole):
        raise ValueError(f"{MANIFEST} is damaged (checksum)")
    if specified != key:
        raise ValueError(f"{MANIFEST} tells of something else (its specification has another key)")
    return dict(manifest)


def manifest_text(manifest: Mapping[str, Any]) -> bytes:
    """A manifest as it is written: with its checksum."""
    # through JSON once, so that the checksum is of what a reader will get
    plain = json.loads(json.dumps(manifest, allow_nan=False))
    return (json.dumps(plain | {"sha256": content_key(plain)}, indent=1, sort_keys=True) + "\n").encode()


def _write_manifest(draft: Draft, kind: str, key: str, spec: dict[str, Any]) -> None:
    paths = sorted(path for path in draft.path.rglob("*") if path.is_file())
    files = {path.relative_to(draft.path).as_posix(): _seal(path) for path in paths}
    if MANIFEST in files:
        raise ValueError(f"{kind}: a job may not write a file {MANIFEST}; put it in draft.info")
    manifest = {"key": key, "kind": kind, "spec": spec, "files": files, "info": draft.info}
    (draft.path / MANIFEST).write_bytes(manifest_text(manifest))
    _fsync(draft.path / MANIFEST)
    _fsync(draft.path)


def _problems(
    folder: Path, kind: str, key: str, digest: Callable[[Path], str] | None = None, up_to: float = 0
) -> list[str]:
    """Compare an artefact with its manifest: all sizes, and digests of files of at most `up_to` bytes."""
    try:
        files = _read_manifest(folder, kind, key)["files"]
    except ValueError as error:
        return [str(error)]
    return [problem for name, seal in files.items() if (problem := _problem(folder / name, seal, digest, up_to))]


def _problem(path: Path, seal: dict[str, Any], digest: Callable[[Path], str] | None, up_to: float) -> str:
    try:
        size = patiently(Path.stat, path).st_size
        if size != seal["bytes"]:
            return f"{path.name} has {size} bytes instead of {seal['bytes']}"
        if digest and size <= up_to and patiently(digest, path) != seal["sha256"]:
            return f"{path.name} has changed (checksum)"
    except ABSENT as error:
        return f"{path.name} cannot be read ({error.strerror})"
    return ""


def _unlisted(folder: Path, kind: str, key: str) -> list[str]:
    """Files of which the manifest says nothing; hidden ones are the system's."""
    names = {MANIFEST, *_read_manifest(folder, kind, key)["files"]}
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [f"{name} is not in its manifest" for name in found if name not in names and Path(name).name[0] != "."]


def _seal(path: Path) -> dict[str, Any]:
    # a power cut must not leave a manifest on the disk without the bytes that it vouches for
    _fsync(path)
    return {"bytes": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _remembered_sha256(path: Path) -> str:
    stat = path.stat()
    state = (str(path), stat.st_mtime_ns, stat.st_size)
    if state not in _DIGESTS:
        _DIGESTS[state] = _sha256(path)
    return _DIGESTS[state]


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some file systems know it not, of folders most of all: then there is no more to do
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def _is_disk_full(error: Exception, root: Path) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    # NumPy and safetensors lose the number: "1000 requested and 500 written", "... (os error 28)"
    full = isinstance(error, OSError) and shutil.disk_usage(root).free < 2**20
    return full or os.strerror(errno.ENOSPC) in str(error)


def human_bytes(size: float) -> str:
    """A size on the disk, in MB or GB."""
    return f"{size / 2**30:.1f} GB" if size >= 2**30 else f"{size / 2**20:.1f} MB"
