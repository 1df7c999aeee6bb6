"""Puts the release that lanewise.toml names in force by a person's word, also one older than the ledger's newest."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from desk.decisions import signed
from desk.policy.releases import adopt_named
from desk.records import Records, read_release
from ledger.adoption import adopt, is_older, newest_release
from ledger.releases import ReleaseLedger


def adopt_release(records: Records, by: str, reason: str, tell: Callable[[str], None]) -> int:
    """Records that the workspace's release is in force. Where another was activated or rolled back to, that one may only be
    narrowed so (NotYetAllowed). DecisionRefused without a name or a reason; PolicyError where it cannot be used."""
    release, sign = read_release(records.settings.policy), signed(by, reason, f"cli-{uuid.uuid4().hex}")
    if ReleaseLedger(records.store).in_force() is not None:
        return adopt_named(records, release, sign, tell)
    newest = newest_release(records.store)
    adopt(records.store, release.version, release.digest, sign)
    older = f", which is older than {newest}" if is_older(release.version, newest) else ""
    tell(f"In force: release {release.version}{older}, by {sign.by}.")
    tell(
        "What runs already works by it from its next start on: no release was activated here, so lanewise.toml decides."
    )
    return 0
