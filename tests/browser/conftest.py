"""A real Chromium in front of a real server, with an eye on everything that goes wrong in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, expect, sync_playwright

from app.config import PREFIX
from tests.browser.pictures import Pictures
from tests.browser.serving import Installation, serve

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
}
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
# Where `make screenshots` wants its pictures. Read here: no setting stays in the environment for long.
SCREENSHOTS = os.environ.get("NAMESAKE_SCREENSHOTS")
# Two busy cores look for faces, and do much else, while the browser waits.
_PATIENCE_MS = 30_000


@pytest.fixture(scope="session", autouse=True)
def _no_settings_for_servers() -> Iterator[None]:
    """Servers that several tests share start before the settings of each test are taken out of its way."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        missing = "needs chromium (on Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory, sample_photos: dict[str, Path]) -> Pictures:
    return Pictures(tmp_path_factory.mktemp("pictures"), sample_photos)


@pytest.fixture
def server(browser: Browser, tmp_path: Path, models_folder: Path) -> Iterator[Installation]:
    """An empty installation."""
    with serve(tmp_path / "home", models_folder) as installation:
        yield installation


@pytest.fixture(scope="session")
def _shared_server(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, pictures: Pictures, models_folder: Path
) -> Iterator[tuple[Installation, list[int]]]:
    """An installation, and the number of the last photo that the next test need not mind."""
    with serve(tmp_path_factory.mktemp("home"), models_folder) as installation:
        installation.name(pictures.head("obama.jpg"), "Barack Obama")
        installation.name(pictures.head("biden.jpg"), "Joe Biden")
        yield installation, [2]


@pytest.fixture
def shared_server(_shared_server: tuple[Installation, list[int]]) -> Iterator[Installation]:
    """An installation that knows two people and has nothing waiting: the same one for many tests."""
    installation, last = _shared_server
    yield installation
    last.append(installation.clear(after=last[-1]))


class Watched:
    """Opens pages and keeps what went wrong in them: console errors (a violated Content-Security-Policy is
    one), exceptions, requests that failed, answers of 400 and more."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[Any] = []
        self.wrong: list[str] = []
        self._expected: set[tuple[str, int]] = set()

    def __call__(self, installation: Installation, **options: Any) -> Page:
        """A page of a new visitor. options: as Browser.new_context takes them; a desktop window if none."""
        context = self._browser.new_context(base_url=installation.url, **DESKTOP | options)
        context.set_default_timeout(_PATIENCE_MS)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.wrong.append(f"exception: {error}"))
        page.on("requestfailed", self._request_failed)
        page.on("response", self._response)
        return page

    def expect_refusal(self, path: str, status: int) -> None:
        """From now on, this answer is what the test is about."""
        self._expected.add((path, status))

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _console(self, message: ConsoleMessage) -> None:
        # Chromium's own remark on a refused request says less than _response does.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.wrong.append(f"console {message.type}: {message.text}")

    def _request_failed(self, request: Request) -> None:
        # Aborted by the browser: the visitor went on before the page was complete.
        if request.failure != "net::ERR_ABORTED":
            self.wrong.append(f"{request.method} {request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        path = urlsplit(response.url).path
        if response.status >= 400 and (path, response.status) not in self._expected:
            self.wrong.append(f"{response.request.method} {path}: {response.status}")


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Watched]:
    """Open pages with it; afterwards nothing may have gone wrong in any of them."""
    watched = Watched(browser)
    yield watched
    watched.close()
    assert not watched.wrong


@pytest.fixture
def page(open_page: Callable[..., Page], shared_server: Installation) -> Page:
    """A desktop window on the shared installation."""
    return open_page(shared_server)
