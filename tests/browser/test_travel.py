"""Labels leave and come back by the admin page."""

from __future__ import annotations

import zipfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched


def test_everything_is_downloaded_and_brought_back(page: Page, tmp_path: Path) -> None:
    page.goto("/admin/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download everything").click()
    archive = tmp_path / download.value.suggested_filename
    download.value.save_as(archive)
    with zipfile.ZipFile(archive) as packed:
        assert "training/Barack Obama_01.jpg.xmp" in packed.namelist()
    page.get_by_label("Bring them back").set_input_files(archive)
    page.get_by_role("button", name="Bring back").click()
    expect(page.get_by_role("status")).to_contain_text("2 faces had the name already.")


def test_what_is_no_archive_is_refused_in_words(page: Page, tmp_path: Path, open_page: Watched) -> None:
    open_page.expect_refusal("/import/", 400)
    (tmp_path / "labels.csv").write_text("name\nAna\n")
    page.goto("/admin/")
    page.get_by_label("Bring them back").set_input_files(tmp_path / "labels.csv")
    page.get_by_role("button", name="Bring back").click()
    expect(page.get_by_role("main")).to_contain_text("The table is not one of labels")
