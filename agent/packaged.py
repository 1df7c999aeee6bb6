"""The policy release that comes with Lanewise."""

from __future__ import annotations

from functools import cache
from importlib import resources

from guards.policy import Release, parse_release

PACKAGED_RELEASE = "2026-03-01.toml"


def packaged_text() -> str:
    """Its text."""
    return (resources.files("guards") / "policies" / PACKAGED_RELEASE).read_text(encoding="utf-8")


@cache
def packaged_release() -> Release:
    """The release itself."""
    return parse_release(packaged_text(), PACKAGED_RELEASE)
