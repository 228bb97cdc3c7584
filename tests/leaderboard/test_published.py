"""The leaderboards in `results/` are what their tables say: made anew from scores and draws, and compared."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from helpers.rescored import differences
from rich.console import Console
from sklearn.metrics import f1_score

from benchmark.leaderboard.drawing.terminal import terminal
from benchmark.leaderboard.page import html
from benchmark.leaderboard.page.answers import markdown
from benchmark.leaderboard.page.report import Report, gather

#: results folders that are committed
NAMES = ("reference", "contestants")
PUBLISHED = [path.parent for path in sorted((ROOT / "results").glob("*/leaderboard.html")) if path.parent.name in NAMES]
BLOCK = re.compile(r"<!-- answers: (\S+) -->\n(.*?)<!-- /answers -->", re.S)


@pytest.fixture(scope="module", params=PUBLISHED, ids=lambda folder: folder.name)
def made_anew(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Report]:
    """A folder as it is committed, its copy with page and tables by the code as it is now, and what these show."""
    folder, copy = request.param, tmp_path_factory.mktemp("published") / request.param.name
    copy.mkdir()
    for name in ("scores.parquet", "draws.parquet", "run.json"):
        shutil.copyfile(folder / name, copy / name)
    report = gather(copy)
    html.write(copy, report)
    return folder, copy, report


def test_every_number_of_the_tables_follows_from_the_scores(made_anew: tuple[Path, Path, Report]) -> None:
    folder, copy, _ = made_anew
    names = {path.name for path in folder.glob("*.csv")}
    assert names >= {"leaderboard.csv", "pairs.csv", "labels.csv"}
    for name in names:
        committed, now = (pd.read_csv(place / name) for place in (folder, copy))
        pd.testing.assert_frame_equal(committed, now, check_exact=False, rtol=1e-6, atol=1e-9)


def test_what_a_readme_shows_as_the_answer_is_that(made_anew: tuple[Path, Path, Report]) -> None:
    folder, _, report = made_anew
    pages = [folder / "README.md", ROOT / "README.md"]
    shown = [text for page in pages for name, text in BLOCK.findall(page.read_text()) if name == folder.name]
    assert shown
    answer = markdown(report).strip()
    assert all(text.strip() == answer for text in shown)


def test_a_readmes_sentences_quote_scores(made_anew: tuple[Path, Path, Report]) -> None:
    """Outside the table, two digits behind the point are of a level's score after some budget, three of a task's."""
    folder, copy, _ = made_anew
    table = pd.read_csv(copy / "leaderboard.csv")
    table = table[(table["probe"] == "linear") & table["mean"].notna()]
    of_level = table["task"].isna()
    known = {f"{mean:.2f}".replace("0.", ".") for mean in table.loc[of_level, "mean"]}
    known |= {f"{mean:.3f}".replace("0.", ".") for mean in table.loc[~of_level & table["main"].eq(True), "mean"]}
    if (copy / "budgets.csv").is_file():
        known |= {f"{mean:.2f}".replace("0.", ".") for mean in pd.read_csv(copy / "budgets.csv")["mean"].dropna()}
    text = BLOCK.sub("", (folder / "README.md").read_text())
    front = (ROOT / "README.md").read_text()
    text += _answer(front) if folder.name == "reference" else ""
    quoted = re.findall(r"(?<![\d.])\.\d\d\d?(?!\d)", text)
    assert quoted
    assert not set(quoted) - known


def _answer(front: str) -> str:
    """What the README says of the answer; without what `report` prints, which has a test of its own."""
    section = front.partition("\n## The answer\n")[2].partition("\n## ")[0]
    return "\n".join(line for line in section.splitlines() if not line.startswith("    "))


def test_the_front_shows_what_report_prints(made_anew: tuple[Path, Path, Report]) -> None:
    folder, _, report = made_anew
    section = (ROOT / "README.md").read_text().partition("\n## The answer\n")[2].partition("\n## ")[0]
    if f"report results/{folder.name}`" not in section:
        pytest.skip("not on the front")
    shown = "".join(line.removeprefix("    ") for line in section.splitlines(keepends=True) if line.startswith("    "))
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as printed:
        console.print(terminal(report.table, report.headline, report.run))
    tables = re.split(r"^.* probe, (\d+%) of the labels *$", printed.get(), flags=re.M)
    assert shown
    assert shown in tables[tables.index("10%") + 1]


def test_the_page_shows_the_scores(made_anew: tuple[Path, Path, Report]) -> None:
    """Each level score of the table of all labels stands in the committed page, to the digits that it shows."""
    folder, *_ = made_anew
    page = (folder / "leaderboard.html").read_text()
    table = pd.read_csv(folder / "leaderboard.csv")
    levels = table[table["task"].isna() & (table["fraction"] == 1) & (table["probe"] == "linear")]
    means = levels["mean"].dropna().to_numpy()
    assert len(means)
    assert all(f'data-value="{mean:.6g}"' in page for mean in np.unique(means))


def test_published_predictions_give_the_scores_again(made_anew: tuple[Path, Path, Report]) -> None:
    """By scikit-learn and mir_eval alone: every row's classes, and one row's beats and chords, which take longer."""
    folder, copy, report = made_anew
    if not any(note.trains for note in report.run.strategies.values()):
        pytest.skip("nothing is trained here")
    scores = pd.read_parquet(copy / "scores.parquet").query("fraction == 1 and share == 1 and probe == 'linear'")
    of_times = scores["metric"].isin(["f_measure", "majmin"])
    apart = differences(folder / "predictions", scores[~of_times])
    apart = pd.concat([apart, differences(folder / "predictions", scores[of_times], ["simclr"])])
    assert set(apart.index.get_level_values(0)) == {path.stem for path in (folder / "predictions").iterdir()}
    assert len({row for task, row, _ in apart.index if task == "key"}) == len(report.entries)
    assert apart.abs().max() < 1e-9


def test_a_probe_of_keys_tells_modes_that_a_probe_of_modes_does_not() -> None:
    """Why `mode` is apart: of the same embeddings the same probe tells keys, and so modes, but no modes alone."""
    keys, modes = (pd.read_parquet(ROOT / f"results/reference/predictions/{name}.parquet") for name in ("key", "mode"))
    keys = keys.loc[modes.index].map(lambda key: str(key).split()[-1])
    assert keys["truth"].equals(modes["truth"])
    of_keys, of_modes = (
        {row: f1_score(modes["truth"], said[row], average="macro") for row in said.columns.drop("truth")}
        for said in (keys, modes)
    )
    assert max(of_modes.values()) < 0.6
    assert max(of_keys.values()) > 0.75
    assert all(of_keys[row] > of_modes[row] + 0.15 for row in ("mfcc", "informed", "masked_contrastive_augmented"))
