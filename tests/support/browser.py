"""Debian's Chromium without a window, and what a page did in it that it should not have done."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

NAMES = ("chromium", "google-chrome")
SLOW = 120_000
"""Milliseconds that anything may take on a busy machine; nothing waits for so long where all is well."""


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of Playwright's; skips where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no {' or '.join(NAMES)} is installed")
    api.expect.set_options(timeout=SLOW)
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, timeout=SLOW)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def tab(browser: Any, url: str, **options: Any) -> Iterator[Any]:
    """A page of a fresh profile at `url`; at the end it must have asked no other host and had no error, neither script nor request."""
    context = browser.new_context(locale="en-GB", **options)
    context.set_default_timeout(SLOW)
    page, wrong = context.new_page(), []
    host = urlsplit(url).netloc
    page.on("console", lambda message: message.type in ("error", "warning") and wrong.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("request", lambda request: urlsplit(request.url).netloc not in (host, "") and wrong.append(f"asked {request.url}"))
    page.on("response", lambda answer: answer.status >= 400 and wrong.append(f"{answer.status} {answer.url}"))
    try:
        page.goto(url)
        yield page
    finally:
        context.close()
    assert not wrong
