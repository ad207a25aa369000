# SPDX-License-Identifier: Apache-2.0
"""What the databases of a suite hold: evidence, and the rows behind what no route shows."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from sqlalchemy import Row, text

from services.chassis.database import Database
from tests.harness.suite import Suite
from tests.policy.person import Person

Entry = dict[str, Any]
_PSEUDONYMS = {
    "vault": ("keystore", "SELECT pseudonym FROM data_keys WHERE site_id=:s AND owner_id=:p"),
}
_OTHERS = "SELECT pseudonym FROM subject_pseudonyms WHERE site_id=:s AND subject_id=:p"
_ENTRIES = "SELECT body FROM evidence_entries WHERE site_id=:s AND subject=:p ORDER BY entry_id"
_OF_SITE = "SELECT body FROM evidence_entries WHERE site_id=:s ORDER BY entry_id"
# Twice gives the bytes that were there before.
_FLIP = (
    "UPDATE data SET ciphertext = set_byte(ciphertext, 20, get_byte(ciphertext, 20) # 1) "
    "WHERE site_id=:s AND subject_id=:p AND field=:f"
)


class Records:
    """Reads a suite's databases as each service's own role; use it in a `with`."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._open = ExitStack()
        self._databases: dict[tuple[str, str], Database] = {}

    def rows(self, name: str, sql: str, **values: object) -> Sequence[Row[Any]]:
        """What a query finds in a database."""
        with self._database(name, "runtime").transaction() as connection:
            return connection.execute(text(sql), values).all()

    def change(self, name: str, sql: str, role: str = "owner", **values: object) -> None:
        """Changes a database behind its service's back, as the owner of its tables."""
        with self._database(name, role).transaction() as connection:
            connection.execute(text(sql), values)

    def entries(self, service: str, person: Person, event: str = "") -> list[Entry]:
        """A service's evidence about a person, in order; of one event where it is named."""
        database, sql = _PSEUDONYMS.get(service, (service, _OTHERS))
        site = person.site.site_id
        known = self.rows(database, sql, s=site, p=person.subject_id)
        found = self.rows(service, _ENTRIES, s=site, p=known[0].pseudonym) if known else []
        bodies = [json.loads(row.body) for row in found]
        return [body for body in bodies if event in ("", body["event"])]

    def refusals(self, service: str, person: Person, event: str) -> list[tuple[str, str]]:
        """The reason and clause of every refusal of an event, in order."""
        found = self.entries(service, person, event)
        return [(e["reason"], e.get("clause", "")) for e in found if e["outcome"] == "REFUSED"]

    def of_site(self, service: str, site_id: str, event: str = "") -> list[Entry]:
        """A service's evidence of a site, whoever it is about; site "" is of calls by nobody."""
        bodies = [json.loads(row.body) for row in self.rows(service, _OF_SITE, s=site_id)]
        return [body for body in bodies if event in ("", body["event"])]

    @contextmanager
    def damaged(self, person: Person, fields: Iterable[str]) -> Iterator[None]:
        """The ciphertexts of these data do not open meanwhile: whoever decrypts them fails."""
        where = [{"s": person.site.site_id, "p": person.subject_id, "f": f} for f in fields]
        for values in where:
            self.change("vault", _FLIP, **values)
        try:
            yield
        finally:
            for values in where:
                self.change("vault", _FLIP, **values)

    @contextmanager
    def unwritable(self, name: str, table: str, needle: str) -> Iterator[None]:
        """Rows of a table that hold `needle` in their body cannot be written meanwhile."""
        assert needle.replace("-", "").isalnum()
        function = f"refuse_{abs(hash(needle)):x}"
        self.change(
            name,
            f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF NEW.body LIKE '%{needle}%' THEN RAISE EXCEPTION 'unwritable'; END IF; "
            "RETURN NEW; END $$",
        )
        self.change(
            name,
            f"CREATE TRIGGER {function} BEFORE INSERT ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()",
        )
        try:
            yield
        finally:
            self.change(name, f"DROP FUNCTION {function}() CASCADE")

    def close(self) -> None:
        """Closes the connections."""
        self._open.close()

    def _database(self, name: str, role: str) -> Database:
        if (name, role) not in self._databases:
            database = Database(self._suite.database_url(name, role), pool_size=1)
            self._databases[name, role] = self._open.enter_context(closing(database))
        return self._databases[name, role]
