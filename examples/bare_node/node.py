"""On the node: make the environment from what lies beside this file, then take one step (README.md).

    python3 node.py render --grid full                 audio of all corpora of the grid
    python3 node.py bench --device cuda                the figures of `bench`
    python3 node.py run --grid full                    what is missing of the grid
    python3 node.py pack --grid full --into FOLDER     scores, records and the best weights, in files to take home

All other options are those of `python -m benchmark`. A call ends within --seconds, with exit code 75 if there is more
to do: the same call goes on. Everything is kept below --home. Needs nothing but Python and pip.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

PACK = Path(__file__).resolve().parent
#: EX_TEMPFAIL: the same call goes on
AGAIN = 75
#: seconds in which a run that is told to stop does so
GRACE = 25
#: files that a call may bring home
FILES = 8
#: of `timeout`: the time was up, and it had to kill as well, perhaps itself
STOPPED = (124, 137, -9)


class Node:
    """An environment and the folders that go with it.

    Args:
        home: below which all is kept.
        grid: names the results' folder.
        seconds: from now on, that a call may take.
    """

    def __init__(self, home: Path, grid: str, seconds: float) -> None:
        self.site, self.data = home / "site", home / "data"
        self.out = home / "results" / Path(grid).stem.replace(":", "-")
        self.unfinished = self.out / "unfinished"
        self._end = time.monotonic() + seconds

    def set_up(self) -> None:
        """Unpack what this pack brings, if it has not been."""
        wanted = (PACK / "pack.json").read_bytes()
        for folder, unpack in ((self.site, self._unpack), (self.out, self._take_over)):
            stamp = folder / "pack.json"
            if not (stamp.is_file() and stamp.read_bytes() == wanted):
                unpack()
                stamp.write_bytes(wanted)

    def _unpack(self) -> None:
        """Wheels and note tables."""
        shutil.rmtree(self.site, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
        wheels = sorted(map(str, (PACK / "wheels").glob("*.whl")))
        subprocess.run([*pip, "--target", str(self.site), *wheels], check=True)
        shutil.copytree(PACK / "data", self.data, dirs_exist_ok=True)

    def _take_over(self) -> None:
        """What an earlier node has scored."""
        self.out.mkdir(parents=True, exist_ok=True)
        for earlier in PACK.glob("earlier.tar.*"):
            self.benchmark("store", "import", str(earlier), str(self.out))

    def benchmark(self, *arguments: str, output: Path | None = None) -> int:
        """Run the command line in the environment, for as long as there is time."""
        left = self._end - time.monotonic() - GRACE
        if left < 1:
            return AGAIN
        # the environment's Pretext, whatever folder this is called in
        environment = {**os.environ, "PYTHONSAFEPATH": "1", "MIR_PRETEXT_NO_MLFLOW": "1"}
        environment["PYTHONPATH"] = os.pathsep.join([str(self.site), *filter(None, [os.environ.get("PYTHONPATH")])])
        stop = ["timeout", "--signal=INT", f"--kill-after={GRACE}", f"{left:.1f}"]
        command = [*stop, sys.executable, "-m", "benchmark", *arguments]
        if output is None:
            code = subprocess.run(command, env=environment).returncode
        else:
            with output.open("w") as stream:
                code = subprocess.run(command, env=environment, stdout=stream).returncode
        return AGAIN if code in STOPPED else code

    def run(self, *arguments: str) -> int:
        """Run the grid, or some of its jobs."""
        where = ("--data-dir", str(self.data), "--out", str(self.out), "--store", str(self.out))
        return self.benchmark("run", *arguments, *where)

    def render(self, *arguments: str) -> int:
        """Render what the grid listens to."""
        return self.run(*arguments, "--only", "join *")

    def go_on(self, *arguments: str) -> int:
        """Run what is missing of the grid."""
        self.unfinished.touch()
        code = self.run(*arguments)
        if code != AGAIN:
            self.unfinished.unlink()
        return code

    def bench(self, *arguments: str) -> int:
        """Measure, and keep the figures."""
        figures, draft = self.out / "bench.json", self.out / "bench.json.tmp"
        code = self.benchmark("bench", "--json", *arguments, output=draft)
        if code == 0:
            print(draft.replace(figures).read_text())
        return code

    def pack(self, into: Path, megabytes: int, skip: int, *arguments: str) -> int:
        """Write what is to go home into `into`: at most FILES files, `megabytes` together."""
        # a run that was stopped has written no tables of what it has done
        tables = self.run(*arguments, "--only", "catalog *") if self.unfinished.exists() else 0
        scores, weights = self.out / "scores.tar.xz", self.out / "weights.tar"
        code = tables or self._export(scores, "--scores-only")
        if code == 0:
            room = max(0.0, (megabytes - 1) * 1e6 - scores.stat().st_size)
            code = self._export(weights, "--best-weights", str(int(room / 2**20)))
        if code:
            return code
        whole = self.out / "home.tar"
        with tarfile.open(whole, "w") as tar:
            for path in (scores, weights, self.out / "run.json", self.out / "bench.json"):
                if path.is_file():
                    tar.add(path, path.name)
        return _split(whole, into, math.ceil(megabytes * 1e6 / FILES), skip)

    def _export(self, archive: Path, *arguments: str) -> int:
        code = self.benchmark("store", "export", str(self.out), str(archive), *arguments)
        return 0 if code == 1 else code  # 1: what is damaged is left out


def _split(whole: Path, into: Path, size: int, skip: int) -> int:
    """Write FILES parts of a file, from part `skip` on."""
    into.mkdir(parents=True, exist_ok=True)
    count = math.ceil(whole.stat().st_size / size)
    with whole.open("rb") as stream:
        stream.seek(skip * size)
        for number in range(skip, min(count, skip + FILES)):
            part = into / f"home.tar.{number + 1:03}-of-{count:03}"
            part.write_bytes(stream.read(size))
            print(f"{part}  {part.stat().st_size / 1e6:.1f} MB")
    if count > skip + FILES:
        print(f"there are {count} parts: the others come with --skip {skip + FILES}")
    return 0


def main() -> int:
    """Take the step that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.allow_abbrev = False
    parser.add_argument("step", choices=("render", "bench", "run", "pack"))
    parser.add_argument("--grid", default="smoke", help="the grid's name, or a YAML file")
    parser.add_argument("--seconds", type=float, default=570, help="within which a call ends")
    parser.add_argument("--home", type=Path, default=Path("/tmp/pretext"), help="below which everything is kept")
    parser.add_argument("--into", type=Path, help="pack: a folder for the files to take home")
    parser.add_argument("--megabytes", type=int, default=64, help=f"pack: of {FILES} files together")
    parser.add_argument("--skip", type=int, default=0, help="pack: files that an earlier call has brought")
    known, rest = parser.parse_known_args()
    node = Node(known.home.absolute(), known.grid, known.seconds)
    node.set_up()
    options = ["--grid", known.grid, *rest]
    if known.step == "pack":
        if known.into is None:
            parser.error("pack: --into FOLDER says where to")
        return node.pack(known.into, known.megabytes, known.skip, *options)
    if known.step == "bench":
        return node.bench(*rest)
    return node.render(*options) if known.step == "render" else node.go_on(*options)


if __name__ == "__main__":
    sys.exit(main())
