# SPDX-License-Identifier: Apache-2.0
"""What the written answer needs besides the office: who signs, who operates the site, the mail."""

from dataclasses import dataclass

from services.chassis.mail import Mailer
from services.chassis.signing import Signer
from services.chassis.sites import Operator, Sites


class NoOperator(Exception):
    """The sites file names nobody who operates this site, so nobody can sign for it."""


@dataclass(frozen=True, slots=True)
class Correspondence:
    """`mailer` is None where no mail server is set: letters then leave by post or hand.

    `officers` is the e-mail address that is reminded of terms; empty where none is set.
    """

    signer: Signer
    sites: Sites
    mailer: Mailer | None
    officers: str = ""

    def operator_of(self, site_id: str) -> Operator:
        """Who operates the site. Raises NoOperator."""
        operator = self.sites.operator_of(site_id)
        if operator is None:
            raise NoOperator
        return operator
