"""What a run heard, to listen to: sound files within the page, where `report --audio` has written them."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path

from benchmark.interfaces import UserError

TYPES = {".mp3": "audio/mpeg", ".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg"}
NAME = re.compile(rf"[\w-]+({'|'.join(map(re.escape, TYPES))})")


@dataclass(frozen=True)
class Example:
    """A few seconds of sound; `uri` holds them."""

    title: str
    text: str
    uri: str


def load_examples(folder: Path) -> list[Example]:
    """Those that `folder/audio/index.json` names; none where there is no such file.

    Raises:
        UserError: it is not a list of `file`, `title`, `text`, or a file is not beside it.
    """
    index = folder / "audio" / "index.json"
    if not index.is_file():
        return []
    try:
        return [Example(str(one["title"]), str(one["text"]), _uri(index, one["file"])) for one in _read(index)]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{index} is unusable ({error}); delete it, or run report --audio again") from error


def _read(index: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(index.read_text(encoding="utf-8"))
    return found


def _uri(index: Path, name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a sound file beside it")
    path = index.parent / name
    return f"data:{TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"
