"""Archives to folders: all of it or nothing, and never a file anywhere else."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from benchmark.corpora.download.fetch import room_on
from benchmark.interfaces import UserError


def unpack(archive: Path, folder: Path) -> None:
    """Make a folder of an archive.

    Args:
        folder: does not exist before; afterwards it is whole.

    Raises:
        UserError: the archive is damaged, would write elsewhere, or does not fit on the disk; there is no folder then.
    """
    draft = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(draft, ignore_errors=True)  # of one that was killed
    draft.mkdir(parents=True)
    try:
        with room_on(folder.parent):
            (_unzip if zipfile.is_zipfile(archive) else _untar)(archive, draft)
        draft.replace(folder)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{archive}: cannot be unpacked: {error}; nothing of it has been") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_room(folder: Path, wanted: int) -> None:
    """Make sure that so many bytes fit.

    Raises:
        UserError: they do not.
    """
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise UserError(f"{folder}: {wanted / 1e9:,.1f} GB are needed, {free / 1e9:,.1f} GB are free; make room first")


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            _check_name(archive, member.filename)
            if stat.S_ISLNK(member.external_attr >> 16):
                raise _refused(archive, member.filename)
        check_room(folder, sum(member.file_size for member in file.infolist()))
        file.extractall(folder)


def _untar(archive: Path, folder: Path) -> None:
    def inside(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        _check_name(archive, member.name)
        try:
            return tarfile.data_filter(member, path)
        except tarfile.FilterError as error:  # links that lead out, devices
            raise _refused(archive, member.name) from error

    with tarfile.open(archive) as file:
        file.extractall(folder, filter=inside)


def _check_name(archive: Path, name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise _refused(archive, name)


def _refused(archive: Path, name: str) -> UserError:
    return UserError(f"{archive}: its member {name!r} leads out of the folder; nothing has been unpacked")
