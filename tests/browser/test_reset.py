"""Back to the reserve: said beforehand in plain numbers, asked for in capitals, followed as it goes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE, Watched
from tests.browser.pictures import Pictures
from tests.browser.serving import Installation
from tests.browser.visitor import expect_shown
from tests.server import fill_reserve

_COPIES = 40
_REMEMBER = """job => {
  window.sameDocument = true;
  window.bars = [];
  window.words = [];
  new MutationObserver(() => {
    bars.push(job.querySelector("progress").position);
    words.push(job.innerText);
  }).observe(job, { subtree: true, childList: true, characterData: true, attributes: true });
}"""


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_reset_with_progress(
    server: Installation,
    open_page: Watched,
    pictures: Pictures,
    sample_photos: dict[str, Path],
    size: dict[str, Any],
) -> None:
    fill_reserve(server.home, sample_photos, 2 * _COPIES)
    # One of them is in the reserve, too: the two photos of that name must not get into each other's way.
    server.name(pictures.head("obama3.jpg"), "Barack Obama")
    server.name(pictures.head("biden.jpg"), "Somebody else")
    page = open_page(server, **size)

    page.goto("/admin/")
    section = page.get_by_label("Start again from the reserve")
    expect(section).to_contain_text("2 named faces of 2 people will be replaced.")
    expect(section).to_contain_text(f"{2 * _COPIES} photos of 2 people in the reserve")
    button = page.get_by_role("button", name="Reset the training data")
    word = page.get_by_label("Type RESET to go on")
    for typed in ("", "reset", "RESET it"):
        word.fill(typed)
        button.click()
        expect(word).to_be_focused()
        assert not word.evaluate("field => field.validity.valid")
    # Nor does the server take another word, whatever a browser lets through.
    open_page.expect_refusal("/reset_training/", 400)
    page.evaluate("document.querySelector('[action=\"/reset_training/\"]').submit()")
    expect(page.get_by_role("main")).to_contain_text("Type RESET in the field to go on. Nothing was changed.")
    page.get_by_role("link", name="Go back").click()
    expect(page.get_by_text("No job has run yet.")).to_be_visible()
    assert [person["name"] for person in server.json("/people/")["people"]] == ["Barack Obama", "Somebody else"]

    word.fill("RESET")
    button.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Reset")
    job = page.get_by_label("Progress of this job")
    job.evaluate(_REMEMBER)
    expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    expect(job.get_by_role("status")).to_have_text(re.compile("Done|Failed"), timeout=60_000)
    expect(job.get_by_role("status")).to_have_text("Done")
    assert page.evaluate("window.sameDocument"), "the page was loaded again"
    positions = page.evaluate("window.bars")
    assert positions == sorted(positions), "the bar goes forward only"
    assert len(set(positions)) > 4, positions
    assert positions[-1] == 1
    words = "\n".join(page.evaluate("window.words"))
    assert "Under way" in words
    assert "Looking for faces in " in words
    assert re.search(r"seconds? left", words)
    expect(job).to_contain_text("100%")
    expect(job).to_contain_text(f"{2 * _COPIES} faces of 2 people")

    page.get_by_role("link", name="Go on").click()
    people = page.get_by_role("main").get_by_role("listitem")
    expect(people).to_have_count(2)
    for name in ("Barack Obama", "Joe Biden"):
        person = page.get_by_role("link", name=name)
        expect(person).to_contain_text(f"{_COPIES} faces")
        expect_shown(person.locator("img"))

    page.goto("/admin/")
    expect(page.get_by_role("link", name="Reset", exact=True)).to_be_visible()
    expect(page.get_by_label("Jobs")).to_contain_text("Done")
    expect(page.get_by_label("Backups")).to_contain_text("2 photos, 2 faces")
