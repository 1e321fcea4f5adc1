"""Somebody to sign in as: a fresh local stack invites one administrator."""

from worker.moderation.people import Role
from worker.moderation.settings import Settings
from worker.store.people import invite_person, list_people
from worker.store.session import connect, transaction
from worker.store.tenants import GIVER

EMAIL, NAME = "admin@localhost", "Local administrator"


def invite(settings: Settings) -> None:
    """Invites the first person of the tenant, unless somebody was invited before."""
    engine = connect(settings, application="zoomin-up")
    try:
        with transaction(engine) as session:
            if not list_people(session, settings.tenant, limit=1):
                invite_person(session, settings.tenant, email=EMAIL, name=NAME, role=Role.ADMIN, actor=GIVER)
    finally:
        engine.dispose()
