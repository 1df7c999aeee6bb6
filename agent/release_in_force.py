"""The release that is in force, and what the ledger must know of it to let a text leave."""

from __future__ import annotations

from guards.policy import Release
from guards.rollout import anything_leaves, open_families, quiet_families
from ledger.adoption import is_older, newest_release
from ledger.moment import ReleaseView
from ledger.store import Store
from ledger.words import digest_of


def release_in_force(store: Store, release: Release) -> Release:
    """The release, or where the ledger has seen a newer one, the same without any family that may be answered alone: a
    file that was put back by mistake must not bring back what a newer release had taken away."""
    if not is_older(release.version, newest_release(store)):
        return release
    return release.model_copy(update={"rollout": release.rollout.model_copy(update={"autonomous_families": ()})})


def release_view(release: Release) -> ReleaseView:
    """What the ledger must know of a release to let a text leave."""
    return ReleaseView(
        version=release.version,
        phase_sends=anything_leaves(release),
        open_families=open_families(release),
        notice_digests=frozenset(digest_of(n.text) for n in release.notice),
        digest=release.digest,
        quiet_families=quiet_families(release) if anything_leaves(release) else frozenset(),
    )
