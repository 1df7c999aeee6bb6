"""Which secrets a process is handed in its environment, and how they leave it before anything that a model can reach is built."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from contextlib import suppress

from ledger.errors import LedgerError
from ledger.sealed.keyring import Keyring

SECRETS: Mapping[str, str] = {
    "LANEWISE_CHANNEL_SECRET": "logs in to the mail server, or seals mail files",
    "LANEWISE_MAILBOX_PASSWORD": "logs in to the mailbox",
    "LANEWISE_CHAT_KEY": "reads customers' signed identities",
    "LANEWISE_OIDC_SECRET": "shows the identity provider who we are",
    "LANEWISE_WEBHOOK_KEY": "makes each receiver's own signing key",
}
"""Each is taken first of all, whether this process uses it or not."""
READ_AT_OPENING: Mapping[str, str] = {
    "OPENAI_API_KEY": "pays for the model's calls",
    "LANEWISE_CHAIN_KEY": "seals the record",
}
"""Each is read while the workspace is opened, and taken by a process that stays once that is done."""


def take_secrets(env: MutableMapping[str, str]) -> dict[str, str]:
    """The secrets out of the environment, where none of them stands afterwards: what is started later inherits none.
    Those that were not set are not in it."""
    return {name: env.pop(name) for name in SECRETS if name in env}


def forget_read_secrets(keyring: Keyring, env: MutableMapping[str, str]) -> None:
    """Takes what an open workspace has read already out of the environment of a process that stays."""
    env.pop("OPENAI_API_KEY", None)
    with suppress(LedgerError):  # a key that cannot be used is told of by whoever needs it, and never replaced unseen
        keyring.key()
        env.pop("LANEWISE_CHAIN_KEY", None)
