"""`examples/warm_up.py` on a corpus as `run` leaves it: under the shorter warm-up weights turn further."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT


@pytest.mark.long
def test_the_shorter_warm_up_turns_further(tiny_run: Path, data_dir: Path) -> None:
    script = [sys.executable, str(ROOT / "examples" / "warm_up.py"), str(tiny_run), "--data-dir", str(data_dir)]
    options = ["--crops", "640", "--warmups", "64,640", "--options", '{"temperature": 0.2}']
    done = subprocess.run([*script, *options], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    lines = [re.split(r"\s{2,}", line) for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["64", "640"]
    told = [dict(word.split(" ", 1) for word in line[1:]) for line in lines]
    assert all(0 <= float(one[name]) <= 1 for one in told for name in ("tempo", "instrument"))
    short, long = (float(one["turned"]) for one in told)
    assert short > long > 0
    assert [float(one["turned_in_all"]) for one in told] == [short, long], "looked at once, at the end"
