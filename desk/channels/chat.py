"""The channel of the chat, and the choice between it and mail by where a letter's own ticket is answered."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from desk.channels import Channel
from desk.errors import Rejected
from ledger.chats import Chats
from ledger.reaching import CHAT
from ledger.store import Store


class ChatChannel:
    """A letter has arrived when the customer's page can read it in the record: there is nothing else to hand over, no
    credential, and nothing that could be done twice."""

    name = "chat"

    def __init__(self, chats: Chats) -> None:
        """Over the ledger's conversations."""
        self._chats = chats

    def deliver(self, reply_key: str, *, recipient: str, subject: str, body: str, headers: Mapping[str, str]) -> str:
        """The reference under which the record holds it. ``Rejected`` where nobody could ever read it: there is no such
        conversation, its words were erased, or the letter is of another ticket."""
        conversation = recipient.removeprefix(CHAT)
        if not recipient.startswith(CHAT) or not self._chats.is_one(conversation):
            raise Rejected("the recipient is no conversation of the chat that somebody can read")
        if self._chats.ticket_of(reply_key) != conversation:
            raise Rejected("the letter belongs to another ticket than the conversation that it is addressed to")
        return CHAT + hashlib.sha256(reply_key.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class ByRecipient:
    """Gives each letter to the chat or to mail, by its recipient alone."""

    def __init__(self, chat: Channel, mail: Channel) -> None:
        """The two."""
        self._chat, self._mail = chat, mail

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self._chat.name} and {self._mail.name}"

    def deliver(self, reply_key: str, *, recipient: str, subject: str, body: str, headers: Mapping[str, str]) -> str:
        """As the channel that it belongs to."""
        channel = self._chat if recipient.startswith(CHAT) else self._mail
        return channel.deliver(reply_key, recipient=recipient, subject=subject, body=body, headers=headers)


def with_chat(mail: Channel, store: Store) -> Channel:
    """The mail channel, with the conversations of this ledger beside it."""
    return ByRecipient(ChatChannel(Chats(store)), mail)
