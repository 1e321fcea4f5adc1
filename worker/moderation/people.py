"""People: the roles they can have, and what each may do. A role is a fixed set of scopes; nobody is given single ones."""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from worker.moderation.errors import RejectedError
from worker.moderation.scopes import Scope

# Visible ASCII without spaces: what identity providers send, and no two addresses that merely look alike.
EMAIL = re.compile(r"[!-?A-~]{1,64}@[!-?A-~]{1,189}")
LONGEST_NAME = 200  # characters


class Role(StrEnum):
    """What somebody is to a tenant."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    LEAD = "lead"
    AUDITOR = "auditor"
    ADMIN = "admin"


SCOPES: Mapping[Role, frozenset[Scope]] = MappingProxyType(
    {
        Role.VIEWER: frozenset({Scope.READ}),
        Role.REVIEWER: frozenset({Scope.READ, Scope.REVIEW}),
        Role.LEAD: frozenset({Scope.READ, Scope.SUBMIT, Scope.REVIEW, Scope.LEAD}),
        Role.AUDITOR: frozenset({Scope.READ, Scope.AUDIT}),
        Role.ADMIN: frozenset(Scope),  # who invites people can give any role, and so has all
    }
)


def plain_email(text: str) -> str:
    """The address as it is stored and compared: in lower case. Raises RejectedError `email_invalid`."""
    if not EMAIL.fullmatch(text):
        raise RejectedError("email_invalid", f"{text[:80]!r} is not an e-mail address in plain ASCII.")
    return text.lower()
