"""What all frozen contestants have in common: weights of their own, which decide what their scores stand for."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import ClassVar

from benchmark.interfaces import UserError
from benchmark.modules import Encoder

#: of every corpus; who wants another rate resamples
SAMPLE_RATE = 16_000


class Contestant(Encoder):
    """An encoder that comes with its weights.

    Class attributes:
        package: the distribution that brings them, imported where an encoder is made and nowhere else.
    """

    offers = frozenset()  # nothing to train
    sample_rate = SAMPLE_RATE
    package: ClassVar[str]

    @classmethod
    def fingerprint(cls) -> str:
        """The package's version, which says which weights they are.

        Raises:
            UserError: it is not installed.
        """
        try:
            return f"{cls.package} {version(cls.package)}"
        except PackageNotFoundError as error:
            raise UserError(
                f"{cls.info.name}: needs {cls.package}, which is not installed: pip install 'mir-pretext[contestants]'"
            ) from error

    @classmethod
    def installed(cls) -> bool:
        """Whether its package is there."""
        try:
            cls.fingerprint()
        except UserError:
            return False
        return True
