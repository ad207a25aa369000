# SPDX-License-Identifier: Apache-2.0
"""Clause 4.1.3: feedback, which is not marketing."""

from tests.policy.person import CONTACT, Person, is_refused
from tests.policy.site import Site


def test_feedback_goes_on_after_news_was_withdrawn(person: Person) -> None:
    """T-4.1.3-a"""
    assert person.grant("NEWS").status == 200
    assert person.withdraw("NEWS").json["enforcement"] == "IN_FORCE"
    assert is_refused(person.read("NEWS"), 403, "CONSENT_WITHDRAWN", "4.1.10")
    assert set(person.data("FEEDBACK", reference=person.site.template())) == CONTACT


def test_feedback_names_what_it_serves(person: Person) -> None:
    """T-4.1.3-a"""
    assert is_refused(person.read("FEEDBACK"), 400, "REFERENCE_REQUIRED", "4.1.3")


def test_marketing_is_no_feedback_whatever_it_is_called(person: Person) -> None:
    """T-4.1.3-a"""
    marketing = person.site.template("MARKETING")
    assert is_refused(person.read("FEEDBACK", reference=marketing), 400, *_REFUSED)
    assert is_refused(person.read("FEEDBACK", reference="template:new-year"), 400, *_REFUSED)
    assert set(person.data("FEEDBACK", reference=person.site.template("SERVICE"))) == CONTACT


def test_a_registered_template_never_becomes_another(person: Person) -> None:
    """T-4.1.3-a"""
    template_id = person.site.template("MARKETING")
    texts = [{"language": "kk", "sha256": "0" * 64}]
    body = {"template": {"templateId": template_id, "kind": "SERVICE", "texts": texts}}
    again = person.site.ask("privacyOfficer", "POST", "/v1/templates", body)
    assert is_refused(again, 409, "ALREADY_EXISTS", "4.1.3")
    assert is_refused(person.read("FEEDBACK", reference=template_id), 400, *_REFUSED)


def test_a_template_of_another_site_serves_nobody_here(person: Person, own_site: Site) -> None:
    """T-4.1.3-a"""
    strange = own_site.template()
    assert is_refused(person.read("FEEDBACK", reference=strange), 400, *_REFUSED)


_REFUSED = ("REFERENCE_REQUIRED", "4.1.3")
