"""What the families of a domain touch: terms, security, access, an incident, or nothing of a customer's own."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Touch(StrEnum):
    """What is at stake where a family is answered."""

    TERMS = "terms"
    """Money, contract or law."""
    SECURITY = "security"
    ACCESS = "access"
    """What an account has, and who in it may use it."""
    INCIDENT = "incident"
    ARTICLES = "articles"
    """What the documentation says to everybody alike."""


_OF_DOMAIN: Mapping[str, Touch] = {
    "commerce": Touch.TERMS,
    "contract": Touch.TERMS,
    "legal": Touch.TERMS,
    "security": Touch.SECURITY,
    "permissions": Touch.ACCESS,
    "product": Touch.ACCESS,
    "outage": Touch.INCIDENT,
    "documentation": Touch.ARTICLES,
}

SENSITIVE = frozenset({Touch.TERMS, Touch.SECURITY})
"""Where autonomy is not to rise unnoticed: credit, contract and security."""


def touched(domain: str) -> Touch:
    """What families of a domain touch. A domain of a team's own, or none at all, is looked at as closely as money."""
    return _OF_DOMAIN.get(domain, Touch.TERMS)
