"""A workspace's settings: what ``lanewise.toml`` says, with every path made whole. No secret ever stands in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from desk.channels.address import plain_address
from desk.errors import SettingsError
from desk.mail_settings import Connection, MailboxSection, Security, connection
from guards.policy import OwnerGroup

FILE_NAME = "lanewise.toml"
"""The name that is looked for, in the given directory and then upwards."""

_SQLITE = "sqlite:///"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LedgerSection(_Part):
    """Where all that happened is kept."""

    url: str = _SQLITE + ".lanewise/ledger.sqlite3"
    """A SQLAlchemy URL; a relative SQLite path starts at the workspace."""
    key_file: str | None = None
    """The file of the key that seals the record. LANEWISE_CHAIN_KEY in the environment goes before it. None is a file
    beside the ledger."""
    anchor_file: str | None = None
    """The file that the record's end is written down in. None is a file beside the ledger."""


class CompanySection(_Part):
    """Whose accounts, articles and queues are looked up."""

    directory: str | None = None
    """None is the made-up sandbox company."""


class PolicySection(_Part):
    """The rules in force."""

    file: str | None = None
    """None is the release that comes with Lanewise."""
    groups: dict[OwnerGroup, tuple[str, ...]] = Field(default_factory=dict)
    """Who may approve a release for which group. A group that is not named here may be stood for by anybody, for one group."""


class ChannelSection(_Part):
    """How a text leaves."""

    kind: Literal["console", "eml", "smtp"] = "console"
    outbox: str = "outbox"
    """The folder for ``.eml`` files."""
    sender: Annotated[str, AfterValidator(plain_address)] = "support@lanewise.example"
    host: str = ""
    """The SMTP server, for ``smtp``."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """None is the usual one of ``security``."""
    security: Security = "starttls"
    username: str = ""
    """Empty for a server that asks for none. Its password is LANEWISE_CHANNEL_SECRET."""
    ca_file: str | None = None
    """The certificates to trust, in place of the machine's own."""


def _an_origin(text: str) -> str:
    if not re.fullmatch(r"https?://[a-z0-9.-]+(?::\d{1,5})?|https?://\[[0-9a-f:]+\](?::\d{1,5})?", text):
        raise ValueError(f"{text[:80]!r} is no origin; write it as https://www.company.example, in lower case, no path")
    return text


class ChatSection(_Part):
    """The chat for customers. The key of signed identities is no setting: it is read from LANEWISE_CHAT_KEY alone."""

    origins: tuple[Annotated[str, AfterValidator(_an_origin)], ...] = ()
    """The pages that may show the widget, besides our own: ``https://www.company.example``."""
    issuer: str = ""
    """Who signs identities (``iss``); empty accepts none."""
    audience: str = "lanewise-chat"
    """For whom they are signed (``aud``)."""
    identity_minutes: int = Field(default=10, ge=1, le=60)
    """The longest life of a signed identity."""
    messages_a_minute: int = Field(default=12, ge=1)
    """In one conversation."""
    messages_a_day: int = Field(default=200, ge=1)
    """In one conversation."""
    conversations_an_hour: int = Field(default=60, ge=1)
    """From one address."""
    file_megabytes: int = Field(default=5, ge=0, le=20)
    """The largest file that a customer may send; 0 takes none."""
    backlog: int = Field(default=5_000, ge=1)
    """Waiting events from which on new messages are asked to come again later."""


class WebhooksSection(_Part):
    """Where results may be sent. What receivers' keys are made of is LANEWISE_WEBHOOK_KEY in the environment."""

    inside: tuple[str, ...] = ()
    """Hosts, or ``host:port``, that are no addresses on the internet and may be told all the same."""


class ModelSettings(_Part):
    """Which model is asked, where one is. The key is no setting: it is read from OPENAI_API_KEY alone."""

    name: str | None = None
    base_url: str | None = None
    timeout_seconds: float = Field(default=60.0, gt=0, le=600)
    """For one call. LANEWISE_MODEL_TIMEOUT in the environment goes before it."""


class SignInSection(_Part):
    """Where people of the desk sign in, where that is not here. Its secret is LANEWISE_OIDC_SECRET in the environment."""

    issuer: str | None = None
    """An OpenID Connect provider's address; None where only names and passwords of our own are taken."""
    client_id: str = "lanewise"
    label: str = "your organisation"
    """What stands on the button: Sign in with …"""
    passwords: bool = True
    """False where nobody may sign in by a password of ours any more."""
    trust_unsaid: bool = False
    """True for a provider that never says ``email_verified`` and lets nobody choose their own address."""


class _File(_Part):
    ledger: LedgerSection = LedgerSection()
    company: CompanySection = CompanySection()
    policy: PolicySection = PolicySection()
    channel: ChannelSection = ChannelSection()
    mailbox: MailboxSection = MailboxSection()
    chat: ChatSection = ChatSection()
    model: ModelSettings = ModelSettings()
    sign_in: SignInSection = SignInSection()
    webhooks: WebhooksSection = WebhooksSection()


class Settings(_Part):
    """What everything else is wired by. All paths are absolute."""

    workspace: Path
    """The folder of ``lanewise.toml``, or the one that was asked about where there is no such file."""
    file: Path | None
    """The ``lanewise.toml`` that was read; None where all is default."""
    ledger_url: str
    key_file: Path
    """Where the chain key is read from, or made, where the environment holds none."""
    anchor_file: Path
    """Where the anchor is kept."""
    company: Path | None
    """The company's directory; None is the sandbox company."""
    policy: Path | None
    """The release's file; None is the packaged release."""
    groups: dict[OwnerGroup, tuple[str, ...]] = Field(default_factory=dict)
    """The members of each group that approves releases."""
    channel: Literal["console", "eml", "smtp"]
    outbox: Path
    sender: str
    """A plain address: exactly one, without a display name."""
    chat: ChatSection = ChatSection()
    model: ModelSettings
    sign_in: SignInSection = SignInSection()
    webhooks: WebhooksSection = WebhooksSection()
    smtp: Connection | None = None
    """Where letters are handed in; None for another channel."""
    imap: Connection | None = None
    """Where the mailbox is; None where none is read."""
    mailbox: MailboxSection = MailboxSection()

    @property
    def own_folder(self) -> Path:
        """Where Lanewise keeps what it writes by itself."""
        return self.workspace / ".lanewise"

    @property
    def mail_key_file(self) -> Path:
        """The key of our own Message-IDs."""
        return self.own_folder / "mail.key"

    @property
    def ledger_file(self) -> Path | None:
        """The file of a SQLite ledger; None for another database."""
        if not self.ledger_url.startswith(_SQLITE):
            return None
        return Path(self.ledger_url.removeprefix(_SQLITE).partition("?")[0])

    def make_ledger_folder(self) -> None:
        """Creates the folder of a SQLite ledger where it is not there yet; nothing for another database."""
        if (file := self.ledger_file) is not None:
            file.parent.mkdir(parents=True, exist_ok=True)


def load_settings(start: Path, env: Mapping[str, str], *, whole: bool = True) -> Settings:
    """The settings in force for a directory: the nearest ``lanewise.toml`` in it or above it, else the defaults.

    ``OPENAI_BASE_URL`` and ``LANEWISE_MODEL`` in ``env``, where set, go before the file. Reads only; nothing is
    created. SettingsError names the file, the key and what to do. Without ``whole`` a company's folder and a release
    that are named need not be there: a halt must not wait for either.
    """
    start = start.expanduser().resolve()
    if not start.is_dir():
        raise SettingsError(f"{start} is not a directory. Name the workspace's folder, or one inside it.")
    found = next((d / FILE_NAME for d in (start, *start.parents) if (d / FILE_NAME).is_file()), None)
    said = _File() if found is None else _read(found)
    home = start if found is None else found.parent
    model = said.model.model_copy(
        update={
            key: env[name]
            for key, name in (("name", "LANEWISE_MODEL"), ("base_url", "OPENAI_BASE_URL"))
            if env.get(name, "").strip()
        }
    )
    url = _whole_url(said.ledger.url, home, found)
    return Settings(
        workspace=home,
        file=found,
        ledger_url=url,
        key_file=_beside(url, said.ledger.key_file, home, "key"),
        anchor_file=_beside(url, said.ledger.anchor_file, home, "anchor"),
        company=_there(said.company.directory, home, found, "company.directory", Path.is_dir, whole),
        policy=_there(said.policy.file, home, found, "policy.file", Path.is_file, whole),
        groups=said.policy.groups,
        channel=said.channel.kind,
        outbox=home / Path(said.channel.outbox).expanduser(),
        sender=said.channel.sender,
        chat=said.chat,
        model=model,
        sign_in=said.sign_in,
        webhooks=said.webhooks,
        smtp=_smtp(said.channel, home, found),
        imap=_imap(said.mailbox, home, found),
        mailbox=said.mailbox,
    )


def _smtp(said: ChannelSection, home: Path, file: Path | None) -> Connection | None:
    if said.kind != "smtp":
        return None
    return connection("smtp", f"{file}: channel", **_server(said, home))


def _imap(said: MailboxSection, home: Path, file: Path | None) -> Connection | None:
    if not said.host:
        return None
    if not said.username:
        raise SettingsError(f"{file}: mailbox.username: it is empty. Name the mailbox's user.")
    return connection("imap", f"{file}: mailbox", **_server(said, home))


def _server(said: ChannelSection | MailboxSection, home: Path) -> dict[str, Any]:
    ca_file = home / Path(said.ca_file).expanduser() if said.ca_file else None
    return {
        "host": said.host,
        "port": said.port,
        "security": said.security,
        "username": said.username,
        "ca_file": ca_file,
    }


def _read(file: Path) -> _File:
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror or error}. Check its permissions.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: is not UTF-8 text. Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: not valid TOML: {error}. Mend that line.") from error
    try:
        return _File.model_validate(raw)
    except ValidationError as error:
        lines = [_in_words(item["type"], item["loc"], item["msg"]) for item in error.errors()]
        raise SettingsError(f"{file}: the settings cannot be used:\n  " + "\n  ".join(lines)) from error


_SECRET_WORDS = ("key", "secret", "token", "password")


def _in_words(kind: str, place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in place)
    last = str(place[-1]).lower() if place else ""
    if kind == "extra_forbidden":
        if any(word in last for word in _SECRET_WORDS):
            # The value is not repeated: an error message ends up in logs.
            return (
                f"{where}: a secret never stands in this file; remove it and set OPENAI_API_KEY (for the model), "
                "LANEWISE_CHANNEL_SECRET (for the channel), LANEWISE_MAILBOX_PASSWORD (for the mailbox) or "
                "LANEWISE_CHAT_KEY (for the chat) in the environment"
            )
        known = ", ".join(_known(place[:-1]))
        return f"{where}: this key is not known; remove it or correct its spelling (known here: {known})"
    return f"{where}: {message.removeprefix('Value error, ')}; correct this value"


def _known(section: tuple[int | str, ...]) -> list[str]:
    if not section:
        return list(_File.model_fields)
    part: Any = _File.model_fields[str(section[0])].default
    return list(type(part).model_fields)


def _there(said: str | None, home: Path, file: Path | None, key: str, is_kind: Any, whole: bool) -> Path | None:
    if said is None:
        return None
    path = (home / Path(said).expanduser()).resolve()
    if whole and not is_kind(path):
        what = "directory" if is_kind is Path.is_dir else "file"
        raise SettingsError(
            f"{file}: {key}: there is no {what} {path}. Create it, correct the path, or remove the key to use what "
            "comes with Lanewise."
        )
    return path


def _beside(url: str, said: str | None, home: Path, ending: str) -> Path:
    """The file that is named; else the one under the SQLite ledger's own name, or in the workspace's own folder."""
    if said is not None:
        return home / Path(said).expanduser()
    if not url.startswith(_SQLITE):
        return home / ".lanewise" / f"ledger.{ending}"
    return Path(f"{url.removeprefix(_SQLITE).partition('?')[0]}.{ending}")


def _whole_url(url: str, home: Path, file: Path | None) -> str:
    if not url.startswith("sqlite"):
        if "://" not in url:
            raise SettingsError(
                f"{file}: ledger.url: {url!r} is no database URL. Write it as sqlite:///folder/ledger.sqlite3."
            )
        return url
    path = url.removeprefix(_SQLITE)
    if not url.startswith(_SQLITE) or not path or path.startswith((":memory:", "?")):
        raise SettingsError(
            f"{file}: ledger.url: {url!r} names no file, and a ledger in memory forgets what left. "
            "Write it as sqlite:///folder/ledger.sqlite3."
        )
    return _SQLITE + str(home / Path(path).expanduser())
