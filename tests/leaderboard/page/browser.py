"""Headless Chromium for the tests of the page: the system's browser, driven by Playwright, judged by axe-core."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Page, expect, sync_playwright

#: the system's browser; None on a machine without one
CHROMIUM = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)

#: milliseconds before what does not come is given up: a busy machine is slow, not wrong
PATIENCE = 30_000

#: elements that reach past the right edge, each with the end of its text; what scrolls in a box of its own does not
WIDE = """() => [...document.querySelectorAll("body *")]
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll"))
  .map(e => `${e.tagName}.${e.getAttribute("class")}: ${e.textContent.trim().slice(-40)}`)"""


@dataclass
class Visit:
    """A page that was opened.

    Attributes:
        complaints: what the console says, uncaught exceptions, dialogs.
        requests: addresses that were asked for, the page itself first.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("dialog", self._dismiss)

    def _dismiss(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def settle(self) -> None:
        """Wait until what a change has set off is through: two frames, as the first may have begun before."""
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def open_details(self) -> None:
        """Show what is folded, so that it is judged too."""
        self.page.locator("details").evaluate_all("all => all.forEach(e => e.open = true)")

    def overflow(self) -> list[str]:
        """Elements that make the document wider than the window; empty if it fits."""
        fits = self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        return [] if fits else self.page.evaluate(WIDE) or ["something"]

    def violations(self) -> list[str]:
        """What axe-core finds, serious or critical."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
            for rule in found
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]


@contextmanager
def launched() -> Iterator[Browser]:
    """The browser, without its sandbox, which needs rights that containers lack; it reads our own pages only."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False)


@contextmanager
def visit(browser: Browser, path: Path, fragment: str = "", width: int = 1280, **options: Any) -> Iterator[Visit]:
    """Open a file as a reader would.

    Args:
        browser: from `launched`.
        path: the page.
        fragment: `#` and an id, or nothing.
        width: of the window, in CSS pixels.
        options: of Playwright's `Browser.new_context`, such as `color_scheme` or `java_script_enabled`.
    """
    with browser.new_context(viewport={"width": width, "height": 900}, **options) as context:
        context.set_default_timeout(PATIENCE)
        seen = Visit(context.new_page())
        seen.listen()
        seen.page.goto(path.as_uri() + fragment)
        yield seen
