"""Where the files of a data set are, and what they must hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from benchmark.interfaces import UserError

#: seconds in which a server has to say something
TIMEOUT = 30
ARCHIVES = (".zip", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class Remote:
    """A file to download.

    Attributes:
        url: where it is.
        checksum: `md5:`, `sha1:` or `sha256:`, and the digest.
        name: what it is called here; an archive is unpacked into a folder of that name, without the ending.
    """

    url: str
    checksum: str
    name: str

    @property
    def place(self) -> str:
        """What it becomes in the data set's folder."""
        return next((self.name.removesuffix(end) for end in ARCHIVES if self.name.endswith(end)), self.name)

    @property
    def packed(self) -> bool:
        """Whether it is an archive."""
        return self.place != self.name

    def remotes(self) -> list[Remote]:
        """Itself."""
        return [self]


@dataclass(frozen=True)
class Record:
    """Files of a published record, which never changes: its repository says where they are, and their checksums.

    Attributes:
        doi: of this version of the record.
        names: of the files, among the record's.
    """

    doi: str
    names: tuple[str, ...]

    def remotes(self) -> list[Remote]:
        """Ask the repository.

        Raises:
            UserError: it cannot be reached, or has no such file.
        """
        import pooch
        from pooch.downloaders import doi_to_repository

        with reaching(f"the record {self.doi}"):
            known, repository = pooch.create(path="", base_url=""), doi_to_repository(self.doi, timeout=TIMEOUT)
            try:
                repository.populate_registry(known)
                return [Remote(repository.download_url(name), known.registry[name], name) for name in self.names]
            except (LookupError, TypeError, ValueError) as error:
                raise UserError(f"the record {self.doi} is not what it was: {error!r}") from error


class Source(Protocol):
    """Whatever knows some files."""

    def remotes(self) -> list[Remote]:
        """Those files."""


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """What goes wrong on the way to a server is the user's to know.

    Raises:
        UserError: it cannot be reached, or refuses.
    """
    import requests

    try:
        yield
    except requests.RequestException as error:
        raise UserError(f"{what} cannot be had: {reason(error)}. Is there a network (or HTTPS_PROXY)?") from error


def reason(error: BaseException) -> str:
    """What a failed request says, without its wrappings."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"{error.response.status_code} {error.response.reason}"
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__
