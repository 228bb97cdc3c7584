"""`data get` against a server of our own: made archives, cut connections, wrong checksums, members that lead out."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import zipfile
from collections import Counter, namedtuple
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from trees.chords import guitarset
from trees.dances import ballroom
from trees.notes import tinysol
from typer.testing import CliRunner, Result

from benchmark import registry
from benchmark.cli import main as cli
from benchmark.corpora.datasets.dataset import DATA_HOME, DataSet, _tracks
from benchmark.corpora.download import fetch
from benchmark.corpora.download.sources import Record, Remote
from benchmark.corpora.download.unpack import unpack
from benchmark.interfaces import UserError


class Server(ThreadingHTTPServer):
    """Serves bytes by name; a connection ends after so many of them where `cut` says so.

    Attributes:
        sent: bytes of each name that went out.
        cuts: by name, how many bytes each of the next connections gives.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.sent: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.cuts: dict[str, list[int]] = {}
        self.ranges = True

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self._head(200, len(self.server.files[self.path[1:]]))

    def do_GET(self) -> None:
        name = self.path[1:]
        content, start = self.server.files[name], 0
        self.server.asked[name] += 1
        if self.server.ranges and (asked := self.headers["Range"]):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            self._head(416, 0, f"bytes */{len(content)}")
            return
        rest = content[start:]
        self._head(206 if start else 200, len(rest), f"bytes {start}-{len(content) - 1}/{len(content)}" * bool(start))
        cuts = self.server.cuts.get(name, [])
        given = rest[: cuts.pop(0)] if cuts else rest
        self.wfile.write(given)
        self.server.sent[name] += len(given)

    def _head(self, status: int, length: int, part: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        if part:
            self.send_header("Content-Range", part)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Quietly."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch, "PAUSE", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as made:
        Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """GuitarSet's two zips, which hold no folder of their own."""
    root = tmp_path_factory.mktemp("guitarset")
    guitarset(root)
    packed = {}
    for name in ("annotation", "audio_mono-mic"):
        shutil.make_archive(str(root / name), "zip", root / "guitarset" / name)
        packed[f"{name}.zip"] = (root / f"{name}.zip").read_bytes()
    return packed


@pytest.fixture
def offered(server: Server, archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    """GuitarSet at the server."""
    monkeypatch.setenv(DATA_HOME, str(tmp_path))
    server.files |= archives
    _from(server, "guitarset", monkeypatch, *archives)
    return server


def _from(server: Server, corpus: str, monkeypatch: pytest.MonkeyPatch, *names: str) -> type[DataSet]:
    cls = registry.corpora.get(corpus)
    sources = [Remote(server.url(n), f"md5:{hashlib.md5(server.files[n]).hexdigest()}", n) for n in names]
    monkeypatch.setattr(cls, "sources", tuple(sources))
    return cls


def _get(home: Path, corpus: str = "guitarset", *options: str) -> Result:
    _tracks.cache_clear()
    return CliRunner().invoke(cli.app, ["data", "get", corpus, "--data-home", str(home), *options])


def _files(home: Path) -> list[str]:
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())


def test_it_says_what_it_brings_and_the_reader_finds_it(offered: Server, tmp_path: Path) -> None:
    done = _get(tmp_path, "guitarset", "--yes")
    lines = done.output.splitlines()
    size = len(offered.files["audio_mono-mic.zip"]) / 1e6
    assert "licence: MIT" in lines
    assert f"  audio_mono-mic.zip from 127.0.0.1: {size:,.1f} MB" in lines
    assert f"48 of 48 files are in {tmp_path}/guitarset, audio_mono-mic: 48 .wav" in lines  # as `data check` has it
    assert done.exit_code == 0
    assert not list((tmp_path / "guitarset").glob(".*"))
    assert offered.sent == {name: len(content) for name, content in offered.files.items()}
    again = _get(tmp_path, "guitarset", "--yes")
    # the miniature is not what `expected` says, so its archives are what tells that all has come
    assert "all archives have been unpacked" in again.output
    assert sum(offered.asked.values()) == 2


def test_a_cut_connection_costs_no_byte_twice(offered: Server, tmp_path: Path) -> None:
    name = "audio_mono-mic.zip"
    offered.cuts[name] = [300_000, 1, 200_000]
    assert _get(tmp_path, "guitarset", "--yes").exit_code == 0
    assert offered.asked[name] == 4
    assert offered.sent[name] == len(offered.files[name])


def test_where_the_connection_stays_cut_the_same_command_goes_on(offered: Server, tmp_path: Path) -> None:
    name = "audio_mono-mic.zip"
    offered.cuts[name] = [400_000, 0, 0, 0]
    broken = _get(tmp_path, "guitarset", "--yes")
    assert isinstance(broken.exception, UserError)
    assert "400,000 bytes are here and stay: run the same again" in str(broken.exception)
    assert (tmp_path / "guitarset/.downloads/audio_mono-mic.zip.part").stat().st_size == 400_000
    done = _get(tmp_path, "guitarset", "--yes")
    assert "0.4 MB of it are here" in done.output
    assert done.exit_code == 0
    assert offered.sent == {name: len(content) for name, content in offered.files.items()}
    assert offered.asked["annotation.zip"] == 1


def test_a_server_without_ranges_sends_all_again(offered: Server, tmp_path: Path) -> None:
    name, offered.ranges = "audio_mono-mic.zip", False
    offered.cuts[name] = [300_000]
    assert _get(tmp_path, "guitarset", "--yes").exit_code == 0
    assert offered.sent[name] == 300_000 + len(offered.files[name])


def test_what_is_all_here_is_checked_and_not_sent_again(offered: Server, tmp_path: Path) -> None:
    part = tmp_path / "guitarset/.downloads/annotation.zip.part"  # as a kill before the check leaves it
    part.parent.mkdir(parents=True)
    part.write_bytes(offered.files["annotation.zip"])
    assert _get(tmp_path, "guitarset", "--yes").exit_code == 0
    assert offered.sent["annotation.zip"] == 0


def test_a_wrong_checksum_is_refused_and_nothing_of_the_file_stays(offered: Server, tmp_path: Path) -> None:
    right = offered.files["audio_mono-mic.zip"]
    offered.files["audio_mono-mic.zip"] = right[:-1] + b"x"
    done = _get(tmp_path, "guitarset", "--yes")
    assert isinstance(done.exception, UserError)
    assert f"not {hashlib.md5(right).hexdigest()}" in str(done.exception)
    assert {path.split("/")[1] for path in _files(tmp_path)} == {"annotation"}
    offered.files["audio_mono-mic.zip"] = right
    assert _get(tmp_path, "guitarset", "--yes").exit_code == 0
    assert offered.asked["annotation.zip"] == 1


def _zip(names: dict[str, str], link: str = "") -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for name, text in names.items():
            file.writestr(name, text)
        if link:
            member = zipfile.ZipInfo("inside")
            member.external_attr = 0o120777 << 16
            file.writestr(member, link)
    return held.getvalue()


def _tar(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as file:
        good, bad = tarfile.TarInfo("good"), tarfile.TarInfo(name)
        bad.type, bad.linkname = kind, link
        file.addfile(good)
        file.addfile(bad)
    return held.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(_zip({"good": "1", "../evil": "2"}), id="zip slip"),
        pytest.param(_zip({"good": "1", "/tmp/evil": "2"}), id="absolute in a zip"),
        pytest.param(_zip({"good": "1", "..\\evil": "2"}), id="backslashes"),
        pytest.param(_zip({"good": "1"}, link="../../evil"), id="link in a zip"),
        pytest.param(_tar("../evil"), id="up in a tar"),
        pytest.param(_tar("/tmp/evil"), id="absolute in a tar"),
        pytest.param(_tar("link", tarfile.SYMTYPE, "../../evil"), id="symbolic link"),
        pytest.param(_tar("link", tarfile.LNKTYPE, "../evil"), id="hard link"),
        pytest.param(_tar("device", tarfile.FIFOTYPE), id="pipe"),
    ],
)
def test_an_archive_that_leads_out_is_refused_whole(content: bytes, tmp_path: Path) -> None:
    archive = tmp_path / "deep/a.zip"
    archive.parent.mkdir()
    archive.write_bytes(content)
    with pytest.raises(UserError, match=r"its member .* leads out of the folder; nothing has been unpacked"):
        unpack(archive, tmp_path / "deep/a")
    assert _files(tmp_path) == ["deep/a.zip"]
    assert [path.name for path in archive.parent.iterdir()] == ["a.zip"]


def test_a_damaged_archive_is_an_error_that_names_it(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(_tar("fine")[:-20])
    with pytest.raises(UserError, match=r"a\.tar\.gz: cannot be unpacked"):
        unpack(archive, tmp_path / "a")
    assert _files(tmp_path) == ["a.tar.gz"]


def test_too_small_a_disk_is_told_before_anything_comes(
    offered: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 1000))
    done = _get(tmp_path, "guitarset", "--yes")
    assert isinstance(done.exception, UserError)
    assert "0.0 GB are free; make room first" in str(done.exception)
    assert not offered.sent


def test_a_disk_that_fills_up_loses_nothing(offered: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile.ZipFile, "extractall", _full)
    done = _get(tmp_path, "guitarset", "--yes")
    assert isinstance(done.exception, UserError)
    assert "is full; nothing is lost: make room, and run the same again" in str(done.exception)
    assert _files(tmp_path) == ["guitarset/.downloads/annotation.zip"]
    monkeypatch.undo()
    monkeypatch.setattr(fetch, "PAUSE", 0)
    _from(offered, "guitarset", monkeypatch, *offered.files)
    assert _get(tmp_path, "guitarset", "--yes").exit_code == 0
    assert offered.asked == dict.fromkeys(offered.files, 1)


def _full(*args: object, **options: object) -> None:
    raise OSError(28, "No space left on device")


def test_without_a_network_it_ends_with_exit_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PAUSE", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    cls = registry.corpora.get("guitarset")
    monkeypatch.setattr(cls, "sources", (Remote("http://127.0.0.1:1/annotation.zip", "md5:0", "annotation.zip"),))
    monkeypatch.setattr("sys.argv", ["benchmark", "data", "get", "guitarset", "--yes", "--data-home", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert not _files(tmp_path)


def test_without_a_terminal_it_wants_to_hear_yes(offered: Server, tmp_path: Path) -> None:
    done = _get(tmp_path)
    assert isinstance(done.exception, UserError)
    assert "--yes" in str(done.exception)
    assert "licence: MIT" in done.output
    assert not offered.sent


@pytest.mark.parametrize("corpus", ["gtzan", "medleydb_melody", "mtg_jamendo", "beatles"])
def test_what_may_not_be_downloaded_says_where_to_go(corpus: str, tmp_path: Path) -> None:
    done = _get(tmp_path, corpus, "--yes")
    assert isinstance(done.exception, UserError)
    assert registry.corpora.get(corpus).get in str(done.exception)


def test_a_record_tells_where_its_files_are_and_their_checksums(
    server: Server, monkeypatch: pytest.MonkeyPatch, archives: dict[str, bytes], tmp_path: Path
) -> None:
    """As Zenodo answers, by way of pooch."""
    server.files |= archives
    listed = [
        {"key": n, "checksum": f"md5:{hashlib.md5(c).hexdigest()}", "links": {"self": server.url(n)}}
        for n, c in archives.items()
    ]
    server.files["api/7"] = json.dumps({"id": 7, "files": listed}).encode()
    monkeypatch.setattr("pooch.downloaders.doi_to_url", lambda doi, **options: "https://zenodo.org/records/7")
    monkeypatch.setattr("pooch.downloaders.ZenodoRepository.base_api_url", server.url("api"))
    cls = registry.corpora.get("guitarset")
    assert cls.sources == (Record("10.5281/zenodo.3371780", ("annotation.zip", "audio_mono-mic.zip")),)
    monkeypatch.setenv(DATA_HOME, str(tmp_path))
    assert _get(tmp_path, "guitarset", "--yes").exit_code == 0
    with pytest.raises(UserError, match="is not what it was"):
        Record("10.5281/zenodo.7", ("other.zip",)).remotes()


def _packed(folder: Path, top: str = "") -> bytes:
    """A .tar.gz of a folder."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as file:
        file.add(folder, top or ".")
    return held.getvalue()


def test_other_sets_are_found_as_their_archives_unpack(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, home = tmp_path / "made", tmp_path / "home"
    ballroom(made)
    tinysol(made)
    parts = made / "ballroom/B_1.0"
    server.files = {
        "BallroomData.tar.gz": _packed(parts / "audio", "BallroomData"),
        "ballroomGroundTruth.tar.gz": _packed(parts / "annotations/tempo", "BallroomAnnotations/ballroomGroundTruth"),
        "BallroomAnnotations-master.tar.gz": _packed(parts / "annotations/beats", "BallroomAnnotations-master"),
        "TinySOL.tar.gz": _packed(next((made / "tinysol").rglob("Brass")).parent),
        "TinySOL_metadata.csv": next((made / "tinysol").rglob("*.csv")).read_bytes(),
    }
    for corpus, begin in (("ballroom", "Ball"), ("tinysol", "TinySOL")):
        cls = _from(server, corpus, monkeypatch, *(n for n in server.files if n.lower().startswith(begin.lower())))
        monkeypatch.setenv(DATA_HOME, str(made))
        count = len(cls().tracks())
        done = _get(home, corpus, "--yes")
        assert f"{count} of {count} files are in {home / cls.folder}" in done.output
        assert done.exit_code == 0


def test_every_source_is_complete() -> None:
    """What a slip of the pen in a table would do, no test without a network would see otherwise."""
    lengths = {"md5": 32, "sha1": 40, "sha256": 64}
    found = {
        n: registry.corpora.get(n) for n in registry.corpora.names() if issubclass(registry.corpora.get(n), DataSet)
    }
    offered = {name for name, cls in found.items() if cls.sources}
    assert offered == {
        *("ballroom", "fma_medium", "fma_small", "guitarset", "irmas", "medley_solos_db", "nsynth", "openmic"),
        *("tinysol", "vocalset", "vocalset_unseen_singers"),
    }
    for name in offered:
        assert found[name].licence.partition(" ")[0] in ("CC", "MIT", "audio:")
        for source in found[name].sources:
            if isinstance(source, Remote):
                kind, _, digest = source.checksum.partition(":")
                assert len(bytes.fromhex(digest)) * 2 == lengths[kind]
                assert source.packed
            else:
                assert source.doi.rpartition(".")[2] in found[name].get
                assert all(file.rpartition("-Part")[0] in found[name].get for file in source.names)
