"""The pages in a headless Chromium, on a desktop and on a phone: no console errors, nothing wider than the window, buttons that work."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent / "tools"
sys.path.insert(0, str(TOOLS))

import browser  # noqa: E402
import pages  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.skipif(browser.find() is None, reason="needs a Chromium")]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return pages.make(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[browser.Browser]:
    with browser.Browser() as opened:
        yield opened


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("page", ["report", "profile", "graph"])
def test_page_fits_and_says_nothing(made: dict[str, Path], chromium: browser.Browser, page: str, size: str, dark: bool) -> None:
    chromium.errors.clear()
    width, height = SIZES[size]
    chromium.open(made[page].as_uri(), width, height, dark=dark)
    assert chromium.errors == []
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width
    assert chromium.evaluate("document.body.innerText.length") > 200


def test_report_filters_by_rule_and_word(made: dict[str, Path], chromium: browser.Browser) -> None:
    chromium.open(made["report"].as_uri(), 1280, 900)
    shown = "document.querySelectorAll('details.file:not(.hide)').length"
    every = chromium.evaluate(shown)
    chromium.evaluate("document.querySelector('[data-rule=dropout-rate]').click()")
    assert chromium.evaluate(shown) == 1 < every
    chromium.evaluate("document.querySelector('#clear').click()")
    assert chromium.evaluate(shown) == every
    chromium.evaluate("q = document.querySelector('#search'), q.value = 'perceptron', q.dispatchEvent(new Event('input'))")
    assert chromium.evaluate(shown) == 1


def test_profile_searches_and_sorts(made: dict[str, Path], chromium: browser.Browser) -> None:
    chromium.open(made["profile"].as_uri(), 1280, 900)
    chromium.evaluate("q = document.querySelector('#search'), q.value = 'conv2d', q.dispatchEvent(new Event('input'))")
    names = chromium.evaluate("[...document.querySelectorAll('#body td.name')].map(t => t.textContent)")
    assert names
    chromium.evaluate("document.querySelector('#head button').click()")
    assert chromium.evaluate("[...document.querySelectorAll('#body td.name')].length") == len(names)


def test_graph_opens_scopes_and_shows_nodes(made: dict[str, Path], chromium: browser.Browser) -> None:
    chromium.open(made["graph"].as_uri(), 1280, 900)
    click = "[...document.querySelectorAll('g.{}')].find(g => g.textContent.startsWith('{}')).dispatchEvent(new MouseEvent('click'))"
    boxes = chromium.evaluate("document.querySelectorAll('#stage g').length")
    chromium.evaluate(click.format("scope", "Adam"))
    assert chromium.evaluate("document.querySelectorAll('#stage g').length") > boxes
    assert chromium.evaluate("document.querySelector('#side h1').textContent") == "Adam"
    chromium.evaluate("document.querySelector('#close').click()")
    assert chromium.evaluate("document.querySelectorAll('#stage g').length") == boxes
