"""Who a customer is, where the host page signs for it: a short-lived token, read by one key and one algorithm."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey, OKPKey
from joserfc.jws import JWSRegistry

from desk.channels.address import plain_address
from desk.chat.refusals import ChatRefused
from desk.errors import SettingsError
from ledger.chats import Somebody

ENV_NAME = "LANEWISE_CHAT_KEY"
"""Where the key is read from: at least 32 characters that only the host's servers know (HS256), or their Ed25519 public
key as PEM (EdDSA, or Ed25519 as newer libraries call it)."""
SHORTEST_KEY = 32
LEEWAY = 30
"""Seconds that two machines' clocks may differ by."""
TOKEN_LIMIT = 4_000
NAME_LIMIT = 200


def take_key(env: MutableMapping[str, str]) -> str:
    """The key out of what was handed in, where it no longer stands afterwards; empty where there was none."""
    return env.pop(ENV_NAME, "").strip()


class Identity:
    """Reads tokens of one issuer. The key alone decides the algorithm; what a token says of itself is never followed."""

    def __init__(
        self, key: str, issuer: str, audience: str, minutes: int, now: Callable[[], float] = time.time
    ) -> None:
        """``minutes`` is the longest life of a token. SettingsError for a key that cannot be used."""
        self._key, self._algorithms = _read_key(key)
        if not issuer.strip():
            raise SettingsError(
                f"{ENV_NAME} is set, but chat.issuer is not: name in lanewise.toml who signs identities."
            )
        self._life = minutes * 60
        self._now = now
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            iat={"essential": True},
            account_id={"essential": True},
            email={"essential": True},
        )

    def read(self, token: str) -> Somebody:
        """Who it vouches for. ChatRefused (code ``identity``) says what is wrong with it."""
        try:
            if len(token) > TOKEN_LIMIT:
                raise ValueError("it is too long")
            found = jwt.decode(token, self._key, algorithms=self._algorithms, registry=_registry(self._algorithms))
            self._claims.validate(found.claims)
            return self._somebody(found.claims)
        except (JoseError, ValueError, TypeError) as error:
            said = f"the identity that this page gave was not accepted: {_plainly(error)}"
            raise ChatRefused(401, "identity", said) from error

    def _somebody(self, claims: Mapping[str, Any]) -> Somebody:
        if claims["exp"] - claims["iat"] > self._life:
            raise ValueError(f"it lives longer than {self._life // 60} minutes")
        account, email, name = claims["account_id"], claims["email"], claims.get("name", "")
        if not all(isinstance(part, str) for part in (account, email, name)):
            raise ValueError("account_id, email and name must be text")
        if not account.strip() or len(account) > NAME_LIMIT or len(name) > NAME_LIMIT:
            raise ValueError("its account_id is empty, or a claim is too long")
        return Somebody(account.strip(), plain_address(email.strip()), name.strip())


def _read_key(key: str) -> tuple[OctKey | OKPKey, list[str]]:
    if "PRIVATE KEY" in key:
        raise SettingsError(
            f"{ENV_NAME} holds a private key. Keep that where tokens are signed, and set the public one."
        )
    if key.startswith("-----BEGIN"):
        try:
            return OKPKey.import_key(key), ["EdDSA", "Ed25519"]
        except (JoseError, ValueError, TypeError) as error:
            raise SettingsError(f"{ENV_NAME} holds no Ed25519 public key as PEM: {error}.") from error
    if _looks_public(key):
        raise SettingsError(
            f"{ENV_NAME} looks like a key of a pair, which others may know, and would be taken as a secret. Set an Ed25519 public "
            "key as PEM with its line ends as they are, or a secret made by `openssl rand -hex 32`."
        )
    if len(key.encode(errors="surrogatepass")) < SHORTEST_KEY:
        raise SettingsError(
            f"{ENV_NAME} is shorter than {SHORTEST_KEY} characters. Make one by `openssl rand -hex 32`."
        )
    try:
        return OctKey.import_key(key), ["HS256"]
    except (JoseError, ValueError, TypeError) as error:
        raise SettingsError(f"{ENV_NAME} holds no secret that can be used: {type(error).__name__}.") from error


def _looks_public(key: str) -> bool:
    """True for the shapes that keys of a pair are handed on in: JWK, PEM that an environment file bent, OpenSSH, DER."""
    bare = key.strip().strip("\"'").strip()
    if (
        bare.startswith(("{", "[", "ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"))
        or "-----BEGIN" in bare
        or "-----END" in bare
    ):
        return True
    joined = "".join(bare.replace("\\n", "").split())
    with suppress(ValueError):
        if _is_der(bytes.fromhex(joined)):
            return True
    with suppress(ValueError):
        plain = joined.encode("ascii").translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
        found = base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
        return _is_der(found) or _is_ssh(found)
    return False


def _is_der(raw: bytes) -> bool:
    """True for one whole ASN.1 sequence, as which every key of a pair is written."""
    if len(raw) < 4 or raw[0] != 0x30:
        return False
    if raw[1] < 0x80:
        return len(raw) == 2 + raw[1]
    size = raw[1] & 0x7F
    return 1 <= size <= 3 and len(raw) == 2 + size + int.from_bytes(raw[2 : 2 + size], "big")


def _is_ssh(raw: bytes) -> bool:
    return raw[4:].startswith((b"ssh-", b"ecdsa-", b"sk-"))


def _registry(algorithms: list[str]) -> JWSRegistry:
    return JWSRegistry(algorithms=algorithms)


def _plainly(error: Exception) -> str:
    """What is wrong, without the token's own words."""
    return (str(error) or type(error).__name__)[:200]
