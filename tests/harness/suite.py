# SPDX-License-Identifier: Apache-2.0
"""A whole suite for tests, with what a test needs of its own: subjects, orders, claims."""

import secrets
from collections.abc import Mapping

from tests.harness.acts import granted
from tests.harness.cluster import open_folder
from tests.harness.running import RUN, RunningSuite, SuiteFailed, suite_environment

__all__ = ["RUN", "Suite", "SuiteFailed", "open_folder", "suite_environment"]

POLICY = {
    "texts": [
        {"language": "ru", "title": "Политика", "body": "Использование сайта есть согласие."},
        {"language": "kk", "title": "Саясат", "body": "Сайтты пайдалану келісуді білдіреді."},
    ]
}
USE = {"kind": "FORM_SUBMIT", "page": "/checkout", "language": "ru", "noticeShown": True}


class Suite(RunningSuite):
    """A running suite in which each test makes what it needs, so that none disturbs another."""

    def ensure_policy(self, officer: str = "privacyOfficer") -> int:
        """The newest policy version of the officer's site; one is published where none stands."""
        listed = granted(self.as_(officer).get("/v1/policies"))["policies"]
        if not listed:
            published = granted(self.as_(officer).post("/v1/policies", json=POLICY))
            return int(published["policy"]["version"])
        return max(int(policy["version"]) for policy in listed)

    def new_subject(
        self, data: Mapping[str, object] | None = None, storefront: str = "storefront"
    ) -> str:
        """A subject of its own for a test, with the data given; its id."""
        self.ensure_policy(
            "privacyOfficer" if storefront == "storefront" else "otherPrivacyOfficer"
        )
        registered = granted(self.as_(storefront).post("/v1/subjects", json={"use": USE}))
        subject_id = str(registered["subjectId"])
        if data:
            path = f"/v1/subjects/{subject_id}/data"
            granted(self.as_(storefront).patch(path, json={"data": dict(data)}))
        return subject_id

    def new_order(self, subject_id: str, recipient: str = "courier") -> tuple[str, str]:
        """An open order that is assigned to a recipient; the ids of order and delivery."""
        order_id = f"T-{secrets.token_hex(6)}"
        order = {"orderId": order_id, "subjectId": subject_id}
        storefront = self.as_("storefront")
        granted(storefront.post("/v1/orders", json={"order": order}))
        body = {"recipientId": self.credentials[recipient]["recipientId"]}
        assigned = granted(storefront.post(f"/v1/orders/{order_id}:assign", json=body))
        return order_id, str(assigned["delivery"]["deliveryId"])

    def new_claim(self, subject_id: str, kind: str = "INACCURATE_DATA") -> str:
        """A claim of the subject, which blocks its data; its id."""
        claim = {
            "subjectIds": [subject_id],
            "kind": kind,
            "claimant": "SUBJECT",
            "statement": "Данные неверны.",
            "demand": "Исправить.",
            "language": "ru",
        }
        filed = granted(self.as_("storefront").post("/v1/claims", json={"claim": claim}))
        return str(filed["claim"]["claimId"])
