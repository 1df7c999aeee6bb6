"""Playwright, started once: a second one in the same thread would find the first one's loop running."""

from __future__ import annotations

from functools import cache

from playwright.sync_api import Playwright, sync_playwright


@cache
def playwright() -> Playwright:
    """The one of this process; ``stop`` ends it."""
    return sync_playwright().start()


def stop() -> None:
    """Ends it, where it was started."""
    if playwright.cache_info().currsize:
        playwright().stop()
        playwright.cache_clear()
