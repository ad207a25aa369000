# SPDX-License-Identifier: Apache-2.0
"""A partner of a site, and what it asks."""

import secrets
from contextlib import closing

from cli.conversation import Answered, Conversation
from gateway.book import CredentialBook
from gateway.credential import Holder, KeyRole
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from tests.policy.person import Person


def partner_asks(person: Person, verb: str, path: str, body: object = None) -> Answered:
    """A request with a key of a new partner of the person's site."""
    suite = person.site.suite
    holder = Holder(f"partner-{secrets.token_hex(4)}", person.site.site_id, KeyRole.PARTNER)
    with closing(Database(suite.database_url("gateway"), pool_size=1)) as database:
        key = CredentialBook(database, SystemClock(), "operator/test").issue(holder).key
    with Conversation(suite.gateway, {"partner": {"token": key}}) as conversation:
        return conversation.ask("partner", verb, path, body)
