"""What can be wrong with a policy, a fact or a lane.

GuardError
├── PolicyError          a policy release that cannot be trusted: what, where, what to do
│   └── ReleaseConflict  two different texts that both claim to be one version
└── UnknownName          a word the law does not know (a lane, a trigger, a right, an effect)
"""

from __future__ import annotations


class GuardError(Exception):
    """Something the law cannot be applied to; whoever catches it hands the ticket to a person."""


class PolicyError(GuardError):
    """A policy release is unreadable, incomplete or contradicts the law."""


class ReleaseConflict(PolicyError):
    """Two releases carry the same version but differ in text."""


class UnknownName(GuardError):
    """A name is not in the law's vocabulary."""
