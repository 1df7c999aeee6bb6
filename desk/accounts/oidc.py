"""Signing in with an OpenID Connect provider: it says who somebody is, and our own users say what they may do."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.starlette_client import OAuth
from starlette.requests import Request
from starlette.responses import Response

from desk.accounts.signing_in import start_session
from desk.errors import NotAllowed, SettingsError
from desk.settings import SignInSection
from ledger.accounts import Accounts

ENV_NAME = "LANEWISE_OIDC_SECRET"
COOKIE_LASTS = 600
"""Seconds that somebody may take at the provider."""


class Provider:
    """One provider, by the authorisation code flow with PKCE, state and nonce."""

    def __init__(self, section: SignInSection, secret: str) -> None:
        """Nothing is asked of the provider before somebody signs in."""
        self.label = section.label
        self._where_it_says_nothing = section.trust_unsaid
        self.issuer = (section.issuer or "").rstrip("/")
        self.cookie_key = hmac.new(secret.encode(), b"lanewise sign-in cookie", hashlib.sha256).hexdigest()
        """What the short cookie of a sign-in under way is signed with; the same in every process that serves."""
        clients = OAuth()
        clients.register(
            name="provider",
            client_id=section.client_id,
            client_secret=secret,
            server_metadata_url=f"{self.issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": "openid email profile", "code_challenge_method": "S256"},
        )
        self._client: Any = clients.create_client("provider")

    async def begin(self, request: Request, back: str) -> Response:
        """Leads the browser to the provider. NotAllowed where it cannot be reached."""
        try:
            answer: Response = await self._client.authorize_redirect(request, back)
        except Exception as error:  # whatever the provider's metadata did to the client: nobody is signed in
            raise NotAllowed(f"the provider cannot be asked just now ({type(error).__name__})") from error
        return answer

    async def finish(self, request: Request) -> str:
        """The address that the provider vouches for. NotAllowed for every answer that is not whole."""
        try:
            token: Mapping[str, Any] = await self._client.authorize_access_token(request)
        except OAuthError as error:
            raise NotAllowed(f"the provider did not sign you in: {error.error}") from error
        except Exception as error:  # a bad signature, a wrong issuer, a broken answer: each is a no
            raise NotAllowed(f"the provider's answer cannot be trusted ({type(error).__name__})") from error
        claims: Mapping[str, Any] = token.get("userinfo") or {}
        email = claims.get("email")
        if str(claims.get("iss", "")).rstrip("/") != self.issuer or not isinstance(email, str) or not email:
            raise NotAllowed("the provider did not say who you are")
        if claims.get("email_verified", self._where_it_says_nothing) is not True:
            raise NotAllowed("the provider does not say that it has verified your address")
        return email


def provider_for(section: SignInSection, secrets: Mapping[str, str]) -> Provider | None:
    """The provider of the settings; None where there is none. SettingsError where its secret is not among ``secrets``."""
    if section.issuer is None:
        return None
    secret = secrets.get(ENV_NAME, "").strip()
    if not secret:
        raise SettingsError(f"sign_in.issuer is set, and {ENV_NAME} is not in the environment: set it")
    if not section.issuer.startswith(("https://", "http://localhost:", "http://127.0.0.1:")):
        raise SettingsError(f"sign_in.issuer: {section.issuer!r} is to begin with https://")
    return Provider(section, secret)


def session_for(accounts: Accounts, email: str) -> str:
    """Starts a session for our user of that address. NotAllowed where there is none, or they are disabled."""
    user = accounts.by_email(email)
    if user is None or user.disabled:
        raise NotAllowed(f"nobody with the address {email} works at this desk: ask a lead for a user with it")
    return start_session(accounts, user.name)
