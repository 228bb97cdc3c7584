"""The page in a browser: quiet, alone, within its window, and usable by mouse, keyboard and screen reader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pandas as pd
import pytest
from helpers import planted
from playwright.sync_api import Browser, Locator, Page, expect

from benchmark.leaderboard.page import html as leaderboard

pytestmark = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="no chromium or google-chrome on the PATH (Debian: apt-get install chromium)"
)

#: each would leave a trace if it were read as markup: a dialog, a request or an error
MARKUP = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "\"'><img src=https://example.org/x onerror=alert(3)>",
    "</title></style><svg onload=alert(4)>",
    "{{ 7 * 7 }} &amp; ${alert(5)}",
    "javascript:alert(6)",
    "\u202e\u05d0\u05d1\u05d2 \u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "m" * 300,
    "many words " * 27,
    planted.HOSTILE,
]
#: best first, at each fraction; vicreg was planned and never ran
ORDER = ["simclr", "byol", "mfcc", "random", "constant", "vicreg"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.launched() as running:
        yield running


def built(folder: Path, levels: dict[str, float], record: dict[str, Any], renamed: dict[str, str]) -> Path:
    """A page with every section: pairs, corruptions, findings, costs, failures; 10% is planned and missing."""
    scores = planted.scores(levels, seeds=2).query("fraction != 0.1").assign(corruption="", severity=0)
    noise = scores.query("task == 'key'").assign(corruption="noise", severity=2, value=0.1)
    table = pd.concat([scores, noise], ignore_index=True).replace({"task": renamed, "probe": renamed})
    planted.write(folder, table, record)
    drawn = table.query("severity == 0 and fraction == 0.01 and metric != 'accuracy_unseen_programs'")
    moves = np.random.default_rng(0).normal(0, 0.05, 50)
    draws = [(value + moves).tolist() for value in drawn["value"]]
    drawn.assign(groups=50, draws=draws).to_parquet(folder / "draws.parquet")
    return leaderboard.build(folder)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("plain"), planted.LEVELS, planted.run(ORDER), {})


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each name of MARKUP as a strategy; the last one also wherever else a name or a text can stand."""
    name = planted.HOSTILE
    record = planted.run([*planted.LEVELS, *MARKUP])
    tasks = {name if task == "key" else task: about for task, about in record["tasks"].items()}
    tasks[name] |= {"title": name, "conventions": name, "citation": name, "corpus": name}
    record |= {"grid": name, "command": name, "settings": {name: name}, "tasks": tasks}
    record["probes"] = ["linear", name]
    record["failures"].append({"job": name, "error": name})
    record["pretraining"] += [{**planted._checkpoint(text, 0), "encoder": name} for text in MARKUP]
    levels = planted.LEVELS | dict.fromkeys(MARKUP, 0.45)
    return built(tmp_path_factory.mktemp("hostile"), levels, record, {"key": name, "mlp": name})


def main_table(page: Page) -> Locator:
    """That of the panel which is shown."""
    return page.get_by_role("region", name=re.compile("probe, [0-9.]+% of the labels$")).get_by_role("table")


def names(table: Locator) -> list[str]:
    return table.locator("tbody tr:visible th .name").all_text_contents()


@pytest.fixture(params=["plain", "hostile"])
def either(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


def test_the_page_is_quiet_and_asks_for_nothing(chromium: Browser, either: Path) -> None:
    with browser.visit(chromium, either) as seen:
        seen.open_details()
        for control in seen.page.get_by_role("radio").all():
            control.check()
        seen.settle()
    assert seen.complaints == []
    assert seen.requests == [either.as_uri()]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_its_window(chromium: Browser, either: Path, width: int) -> None:
    with browser.visit(chromium, either, width=width) as seen:
        assert seen.overflow() == []
        seen.open_details()
        for control in seen.page.get_by_role("radio").all():
            control.check()
            assert seen.overflow() == []


def test_the_first_table_needs_no_scrolling(chromium: Browser, plain: Path) -> None:
    with browser.visit(chromium, plain, width=1280) as seen:
        first = seen.page.locator(".panel .scroll:visible").first
        expect(first).to_have_attribute("aria-label", "linear probe, 1% of the labels, by level")
        assert first.evaluate("e => e.scrollWidth - e.clientWidth") == 0


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_axe_finds_no_serious_violation(chromium: Browser, plain: Path, width: int, scheme: str) -> None:
    with browser.visit(chromium, plain, width=width, color_scheme=scheme) as seen:
        seen.open_details()
        assert seen.violations() == []


def test_a_column_sorts_by_its_values_with_the_missing_last(chromium: Browser, plain: Path) -> None:
    with browser.visit(chromium, plain) as seen:
        table = main_table(seen.page)
        for task in planted.TASKS:
            button = table.get_by_role("button", name=task)
            button.click()
            assert names(table) == ORDER
            button.click()
            assert names(table) == [*ORDER[-2::-1], "vicreg"]
        table.get_by_role("button", name="strategy").click()
        assert names(table) == sorted(ORDER)


def test_the_keyboard_sorts(chromium: Browser, plain: Path) -> None:
    with browser.visit(chromium, plain) as seen:
        table = main_table(seen.page)
        button, header = table.get_by_role("button", name="beat"), table.locator("th", has_text="beat")
        before = table.locator("th[aria-sort]")
        expect(before).to_have_count(0)
        for _ in range(90):
            if button.evaluate("e => e === document.activeElement"):
                break
            seen.page.keyboard.press("Tab")
        expect(button).to_be_focused()
        for key, sort in [("Enter", "descending"), ("Space", "ascending")]:
            seen.page.keyboard.press(key)
            expect(header).to_have_attribute("aria-sort", sort)
            expect(table.locator("th[aria-sort]")).to_have_count(1)
            assert (names(table)[0] == "simclr") == (sort == "descending")
        expect(button).to_be_focused()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_the_switches_show_one_panel_at_a_time(chromium: Browser, plain: Path, scripts: bool) -> None:
    with browser.visit(chromium, plain, java_script_enabled=scripts) as seen:
        panels = seen.page.locator(".panel:visible h3")
        expect(panels).to_have_text(["linear probe, 1% of the labels"])
        seen.page.get_by_role("radio", name="100%").check()
        expect(panels).to_have_text(["linear probe, 100% of the labels"])
        seen.page.get_by_role("radio", name="mlp").focus()
        seen.page.keyboard.press("Space")
        expect(panels).to_have_text(["mlp probe, 100% of the labels"])
        assert names(main_table(seen.page)) == ORDER


def test_without_scripts_the_page_reads_and_offers_no_dead_button(chromium: Browser, plain: Path) -> None:
    with browser.visit(chromium, plain, java_script_enabled=False) as seen:
        assert names(main_table(seen.page)) == ORDER
        for button in seen.page.get_by_role("button").all():
            expect(button).to_be_disabled()
        assert seen.complaints == []


def test_hostile_names_are_shown_as_text(chromium: Browser, hostile: Path) -> None:
    """With the page's Content-Security-Policy off: what escaping holds back, nothing else needs to."""
    with browser.visit(chromium, hostile, bypass_csp=True) as seen:
        assert set(names(main_table(seen.page))) == {*planted.LEVELS, *MARKUP}
        for shown in main_table(seen.page).locator("tbody .name").all():
            shown.scroll_into_view_if_needed()
            expect(shown).to_be_in_viewport()
        seen.settle()
    assert seen.complaints == []
    assert seen.requests == [hostile.as_uri()]


def test_the_policy_holds_back_what_slips_through(chromium: Browser, plain: Path) -> None:
    """The other lock: markup planted behind the back of the escaping neither loads nor runs."""
    image = "main => main.insertAdjacentHTML('beforeend', '<img src=https://example.org/x onerror=window.ran=1>')"
    script = "main => main.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))"
    with browser.visit(chromium, plain) as seen:
        main = seen.page.locator("main")
        with seen.page.expect_event("requestfailed") as refused:
            main.evaluate(image)
        with seen.page.expect_console_message(lambda said: "script-src" in said.text and said.type == "error"):
            main.evaluate(script)
        seen.settle()
        assert refused.value.failure == "csp"
        assert seen.page.evaluate("window.ran") is None


def test_a_link_within_the_page_leads_somewhere(chromium: Browser, either: Path) -> None:
    with browser.visit(chromium, either) as seen:
        links = seen.page.locator("a[href^='#']")
        targets = (
            "all => all.filter(a => !document.getElementById(decodeURIComponent(a.hash.slice(1)))).map(a => a.hash)"
        )
        assert links.evaluate_all(targets) == []


@pytest.mark.parametrize("target", ["task-key", "strategy-simclr"])
def test_a_deep_link_opens_its_section(chromium: Browser, plain: Path, target: str) -> None:
    with browser.visit(chromium, plain, f"#{target}") as seen:
        section = seen.page.locator(f"#{target}")
        expect(section).to_be_in_viewport()
        expect(section.get_by_role("heading", name=target.split("-")[1]).first).to_be_in_viewport()
        expect(section.get_by_text("Author").first).to_be_visible()


def test_without_scripts_a_deep_link_still_leads_there(chromium: Browser, plain: Path) -> None:
    with browser.visit(chromium, plain, "#task-key", java_script_enabled=False) as seen:
        expect(seen.page.locator("#task-key").get_by_role("heading", name="key", level=3)).to_be_in_viewport()


def test_a_link_on_the_page_opens_its_section_too(chromium: Browser, plain: Path) -> None:
    with browser.visit(chromium, plain) as seen:
        section = seen.page.locator("#task-beat")
        expect(section.get_by_text("Author").first).not_to_be_visible()
        main_table(seen.page).locator("a[href='#task-beat']").click()
        expect(section.get_by_text("Author").first).to_be_visible()
        expect(section).to_be_in_viewport()


def choose(page: Page, group: str, value: str) -> Locator:
    return page.get_by_role("group", name=group).get_by_role("checkbox", name=value, exact=True)


def test_a_filter_of_rows_keeps_the_baselines_in_sight(chromium: Browser, plain: Path) -> None:
    with browser.visit(chromium, plain) as seen:
        seen.page.get_by_text("Filter by").click()
        choose(seen.page, "Encoder", "mfcc_chroma").check()
        assert names(main_table(seen.page)) == ["mfcc", "random", "constant"]
        expect(seen.page.get_by_role("status")).to_contain_text("3 of 6 rows")
        seen.page.get_by_role("radio", name="100%").check()
        assert names(main_table(seen.page)) == ["mfcc", "random", "constant"]
        main_table(seen.page).get_by_role("button", name="key").click(click_count=2)
        assert names(main_table(seen.page)) == ["constant", "random", "mfcc"]
        seen.page.get_by_role("button", name="Show all").click()
        expect(choose(seen.page, "Encoder", "mfcc_chroma")).not_to_be_checked()
        assert names(main_table(seen.page)) == [*ORDER[-2::-1], "vicreg"]


def test_a_filter_of_columns_hides_their_cells_too(chromium: Browser, plain: Path) -> None:
    with browser.visit(chromium, plain) as seen:
        table = main_table(seen.page)
        simclr = table.locator("tbody tr", has_text="simclr").locator("td:visible .mean")
        every = simclr.all_text_contents()
        seen.page.get_by_text("Filter by").click()
        choose(seen.page, "Level", "time").check()
        expect(table.locator("thead th:visible button")).to_have_text(["strategy", "metre", "beat"])
        assert len(every) == 4
        assert simclr.count() == 2
        choose(seen.page, "Level", "pitch").check()
        expect(table.locator("thead th:visible button")).to_have_text(["strategy", "key", "metre", "beat"])
        assert names(table) == ORDER
