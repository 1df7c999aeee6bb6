"""Holds a policy release that is older than the ledger's newest to drafts and packets, until a person puts it in force."""

from __future__ import annotations

from guards.policy import Release
from ledger.adoption import is_older, newest_release
from ledger.store import Store


def release_in_force(store: Store, release: Release) -> Release:
    """The release, or where the ledger has seen a newer one, the same without any family that may be answered alone: a
    file that was put back by mistake must not bring back what a newer release had taken away."""
    if not is_older(release.version, newest_release(store)):
        return release
    return release.model_copy(update={"rollout": release.rollout.model_copy(update={"autonomous_families": ()})})
