"""Exports: the numbers of the page, files that stand alone, LaTeX that compiles whatever the names are."""

from __future__ import annotations

import re
import shutil
import subprocess
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from helpers import planted

from benchmark.leaderboard.drawing import typeset
from benchmark.leaderboard.drawing.figures import label_efficiency
from benchmark.leaderboard.page import export
from benchmark.leaderboard.record import Run
from benchmark.leaderboard.statistics.tables import cells, standings

NASTY = "[1cm] *a_b % & # $x^2$ {y} ~ \\end{table} \"'<|>"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    scores = planted.scores({**planted.LEVELS, NASTY: 0.45})
    scores["task"] = scores["task"].replace("metre", NASTY)
    gap = (scores["strategy"] == "mfcc") & (scores["task"] == "key") & (scores["fraction"] == 0.1)
    run = planted.run([*planted.LEVELS, NASTY])
    run["tasks"][NASTY] = run["tasks"].pop("metre")
    del run["tasks"]["beat"]
    run["strategies"][NASTY]["trains"] = False
    folder = planted.write(tmp_path_factory.mktemp("run"), scores[~gap & (scores["task"] != "beat")], run)
    export.build(folder)
    return folder / "export"


def test_the_main_table_reads_back(folder):
    table = pd.read_csv(folder / "tables" / "scores-linear-10pct.csv").set_index("strategy")
    for name, level in planted.LEVELS.items():
        grown = level + planted.GROWTH[name]
        assert table.loc[name, "instrument: accuracy"] == pytest.approx(grown, abs=1e-12)
    assert table["mark instrument: accuracy"].to_dict()["simclr"] == "best"
    assert np.isnan(table.loc["mfcc", "key: weighted_score"])
    assert table.loc["mfcc", "mark key: weighted_score"] == "missing"
    assert NASTY in table.index


def test_the_best_is_bold_and_what_ties_is_marked():
    scores = planted.scores({**planted.LEVELS, "twin": 0.68})
    table = cells(scores, Run())
    shown = export.scores_table(next(s for s in standings(table, Run()) if s.fraction == 0.1), "scores")
    rows = {row[0]: row[1:] for row in shown.rows}
    assert all(re.fullmatch(r"\\textbf\{0\.69\} \$\\pm\$ 0\.\d\d", cell) for cell in rows["simclr"])
    assert all(re.fullmatch(r"0\.68 \$\\pm\$ 0\.\d\d\$\^\{\\approx\}\$", cell) for cell in rows["twin"])
    assert all(re.fullmatch(r"0\.56 \$\\pm\$ 0\.\d\d", cell) for cell in rows["byol"])


def test_a_missing_score_is_a_dash(folder):
    row = next(
        line for line in (folder / "tables" / "scores-linear-10pct.tex").read_text().split("\n") if "mfcc &" in line
    )
    assert row.count("--") == 1


def test_every_character_is_shown_as_itself():
    assert typeset.escape("a_b & 5% #1 $x") == r"a\_b \& 5\% \#1 \$x"
    assert typeset.escape("\\{~^}") == r"\textbackslash{}\{\textasciitilde{}\textasciicircum{}\}"
    assert typeset.escape("[2]") == "{[}2{]}"
    assert typeset.escape("a\nb\u202e") == "a?b?"
    assert len(typeset.escape("x" * 300)) == typeset.WIDTH


def test_every_row_has_every_column(folder):
    for path in (folder / "tables").glob("*.tex"):
        text = path.read_text()
        width = len(re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)[1])
        rows = [line for line in text.split("\n") if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {width - 1}, path.name


@pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="no pdflatex (Debian: apt-get install texlive-latex-recommended)"
)
def test_latex_takes_every_table(folder, tmp_path):
    inputs = "\n".join(f"\\input{{{path}}}\\clearpage" for path in sorted((folder / "tables").glob("*.tex")))
    (tmp_path / "all.tex").write_text(
        f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}\n{inputs}\n\\end{{document}}\n"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_a_drawing_stands_alone(folder):
    for path in (folder / "figures").glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)
        words = {node.text for node in root.iter(f"{SVG}text")}
        assert "simclr" in words
        assert "var(" not in text
        assert "currentColor" not in text
        first = next(root.iter(f"{SVG}path"))
        assert "fill: #ffffff" in first.get("style"), "a white background"
    for path in (folder / "figures").glob("*.svg"):
        assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF-")


def test_every_drawing_has_its_table(folder):
    names = {path.stem for path in (folder / "figures").iterdir()}
    assert {"price-pitch-linear", "level-pitch-linear", "label-efficiency-key-linear"} <= names
    assert len(names) == 3 + 2 * 3, "three tasks; three levels with labels and with the price"
    assert names <= {path.stem for path in (folder / "tables").glob("*.csv")}


def test_the_same_bytes_again(tmp_path):
    planted.write(tmp_path, planted.few(), planted.run(["constant", "random", "simclr"]))
    export.build(tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "export").rglob("*.*")}
    assert {path.suffix for path in before} == {".csv", ".tex", ".svg", ".pdf", ".md"}
    export.build(tmp_path)
    assert {path: path.read_bytes() for path in (tmp_path / "export").rglob("*.*")} == before


def test_what_an_earlier_export_left_is_gone_and_nothing_else(tmp_path):
    table = cells(planted.scores().query("task in ['key', 'beat'] and probe == 'linear'"), Run())
    columns = standings(table, Run())[0].columns
    export.write_files(tmp_path, [], [label_efficiency(table, column, "linear") for column in columns[:2]])
    notes = tmp_path / "export" / "figures" / "notes.txt"
    notes.write_text("mine")
    export.write_files(tmp_path, [], [label_efficiency(table, columns[0], "linear")])
    assert {path.stem for path in (tmp_path / "export" / "figures").iterdir()} == {
        "notes",
        f"label-efficiency-{columns[0].task}-linear",
    }
    assert len(list((tmp_path / "export" / "tables").iterdir())) == 2


def test_without_a_pretext_task_the_answer_is_every_rows_score(tmp_path):
    names = ["constant", "random", "mfcc"]
    folder = planted.write(tmp_path, planted.scores({name: planted.LEVELS[name] for name in names}), planted.run(names))
    export.build(folder)
    head, _, *rows = (
        line.split("|")[1:-1] for line in (folder / "export" / "answers.md").read_text().split("\n\n")[0].split("\n")
    )
    assert [cell.strip(" `") for cell in head] == ["level", "labels", "mfcc", "random", "constant"]
    assert len(rows) == 3 * len(planted.N_TRAIN)
    for level, labels, *scores in rows:
        mfcc, random, constant = (float(cell.split("±")[0]) for cell in scores)
        grown = {"1%": 0, "10%": 1, "100%": 2}[labels.strip()]
        # 0 is the constant predictor, 1 perfect
        assert mfcc == pytest.approx((0.4 + 0.05 * grown - 0.2) / 0.8, abs=6e-4), level
        assert random == pytest.approx((0.3 + 0.03 * grown - 0.2) / 0.8, abs=6e-4), level
        assert constant == pytest.approx(0, abs=6e-4)


def test_a_level_of_any_name_stays_in_its_cell(tmp_path):
    record = planted.run(["constant", "random", "simclr"])
    for note in record["tasks"].values():
        note["level"] = "a|b<script>"
    export.build(planted.write(tmp_path, planted.few(), record))
    text = (tmp_path / "export" / "answers.md").read_text()
    head, _, *rows = text.split("\n\n")[0].split("\n")
    assert len(rows) == len(planted.N_TRAIN)
    assert all(row.startswith(r"| a\|b\<script\> |") for row in rows)
    assert {len(row.replace(r"\|", "").split("|")) for row in rows} == {len(head.split("|"))}
