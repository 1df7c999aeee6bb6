"""Puts a policy release in force by a person's word, also one that is older than the ledger's newest."""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Callable

from desk.decisions import signed
from desk.records import Records, read_release
from ledger.adoption import adopt, is_older, newest_release


def adopt_release(records: Records, by: str, reason: str, tell: Callable[[str], None]) -> int:
    """Records that the workspace's release is in force. PolicyError where it cannot be used."""
    release = read_release(records.settings.policy)
    newest = newest_release(records.store)
    key = f"cli-{uuid.uuid4().hex}"
    sign = signed(by or getpass.getuser(), reason or "put in force from the command line", key)
    adopt(records.store, release.version, release.digest, sign)
    older = f", which is older than {newest}" if is_older(release.version, newest) else ""
    tell(f"In force from the next start on: release {release.version}{older}, by {sign.by}.")
    return 0
