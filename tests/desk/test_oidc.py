"""Signing in at a provider: a real one on loopback says who somebody is, and our users say what they may."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from oidc_provider_mock import User, run_server_in_thread
from starlette.testclient import TestClient

from desk.accounts.oidc import ENV_NAME, provider_for
from desk.accounts.people import Role
from desk.accounts.signing_in import hashed
from desk.app import create_app
from desk.counter import Counter
from desk.errors import SettingsError
from desk.security import COOKIE
from desk.settings import FILE_NAME, SignInSection, load_settings
from desk.workplace import open_workplace

PASSWORD = "a-long-password-1"
ODD: tuple[Any, ...] = (None, 0, 1, "false", "true", "", [])
"""What a provider may say in place of a plain true."""


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider that knows two people, of whom one has no verified address."""
    people = [
        User(sub="hazel", claims={"email": "Hazel@desk.example", "email_verified": True}),
        User(sub="ruben", claims={"email": "ruben@desk.example", "email_verified": False}),
        User(sub="otto", claims={"email": "otto@elsewhere.example", "email_verified": True}),
        *(
            User(sub=f"odd-{n}", claims={"email": "hazel@desk.example", "email_verified": odd})
            for n, odd in enumerate(ODD)
        ),
        User(sub="unsaid", claims={"email": "hazel@desk.example"}),
    ]
    with run_server_in_thread(user_claims=people) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def client(tmp_path: Path, issuer: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The desk with that provider, and with two users."""
    monkeypatch.setenv(ENV_NAME, "a-made-up-client-secret")
    said = f'[sign_in]\nissuer = "{issuer}"\nlabel = "Quillstone"\npasswords = false\n'
    (tmp_path / FILE_NAME).write_text(said, encoding="utf-8")
    place = open_workplace(load_settings(tmp_path, {}), {})
    counter = Counter(place)
    counter.accounts.add("hazel", "hazel@desk.example", hashed(PASSWORD), [Role.AGENT])
    counter.accounts.add("ruben", "ruben@desk.example", None, [Role.AGENT])
    with TestClient(create_app(counter), base_url="http://localhost:8080", follow_redirects=False) as made:
        yield made
    place.store.close()


def go(client: TestClient, sub: str) -> httpx.Response:
    """Through the provider as that person, and back."""
    begun = client.get("/sign-in/provider")
    assert begun.status_code == 302, begun.text
    assert "code_challenge_method=S256" in begun.headers["location"]
    chosen = httpx.post(begun.headers["location"], data={"sub": sub})
    back = re.sub(r"^https?://[^/]+", "", chosen.headers["location"])
    answer: httpx.Response = client.get(back)
    return answer


def test_who_the_provider_knows_and_we_know_is_signed_in(client: TestClient) -> None:
    assert "Sign in with Quillstone" in client.get("/sign-in").text
    done = go(client, "hazel")
    assert (done.status_code, done.headers["location"]) == (303, "/")
    session = client.app.state.counter.accounts.session(client.cookies[COOKIE])  # type: ignore[attr-defined]
    assert session.user.name == "hazel"


@pytest.mark.parametrize(
    ("sub", "told"),
    [
        ("ruben", "not say that it has verified"),
        ("unsaid", "not say that it has verified"),
        *((f"odd-{n}", "not say that it has verified") for n in range(len(ODD))),
        ("otto", "nobody with the address"),
    ],
)
def test_who_is_not_vouched_for_or_not_known_here_is_not(client: TestClient, sub: str, told: str) -> None:
    done = go(client, sub)
    assert done.status_code == 403 and told in done.text
    assert COOKIE not in client.cookies


def test_a_provider_that_never_says_so_is_trusted_only_by_a_setting_and_only_where_it_says_nothing(
    tmp_path: Path, issuer: str
) -> None:
    said = f'[sign_in]\nissuer = "{issuer}"\ntrust_unsaid = true\n'
    (tmp_path / FILE_NAME).write_text(said, encoding="utf-8")
    place = open_workplace(load_settings(tmp_path, {}), {})
    counter = Counter(place)
    counter.accounts.add("hazel", "hazel@desk.example", hashed(PASSWORD), [Role.AGENT])
    app = create_app(counter, secrets={ENV_NAME: "a-made-up-client-secret"})
    with TestClient(app, base_url="http://localhost:8080", follow_redirects=False) as client:
        assert [go(client, f"odd-{n}").status_code for n in range(len(ODD))] == [403] * len(ODD)
        assert go(client, "unsaid").status_code == 303
    place.store.close()


def test_an_answer_that_nobody_asked_for_signs_nobody_in(client: TestClient) -> None:
    for query in ("", "?code=abc", "?code=abc&state=made-up", "?error=access_denied"):
        done = client.get(f"/sign-in/provider/back{query}")
        assert done.status_code == 403
        assert COOKIE not in client.cookies


def test_where_passwords_are_switched_off_none_is_taken(client: TestClient) -> None:
    assert 'name="password"' not in client.get("/sign-in").text
    refused = client.post("/sign-in", data={"name": "hazel", "password": PASSWORD})
    assert refused.status_code == 403 and "use the provider" in refused.text


def test_a_provider_without_its_secret_or_without_https_is_told_before_anything_is_served() -> None:
    assert provider_for(SignInSection(), {}) is None
    with pytest.raises(SettingsError, match=ENV_NAME):
        provider_for(SignInSection(issuer="https://id.example"), {})
    with pytest.raises(SettingsError, match="https"):
        provider_for(SignInSection(issuer="http://id.example"), {ENV_NAME: "x"})
