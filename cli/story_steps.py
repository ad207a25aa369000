# SPDX-License-Identifier: Apache-2.0
"""The first seven steps of the acceptance story: policy, person, data, consent, order, release."""

from typing import Any

from cli.story import Step, Story
from services.chassis.ids import new_uuid

POLICY = {
    "texts": [
        {
            "language": "ru",
            "title": "Политика конфиденциальности персональных данных",
            "body": "Использование сайта означает согласие с настоящей Политикой "
            "конфиденциальности и условиями обработки персональных данных.",
        },
        {
            "language": "kk",
            "title": "Дербес деректердің құпиялылық саясаты",
            "body": "Сайтты пайдалану осы Құпиялылық саясатымен және дербес деректерді өңдеу "
            "шарттарымен келісуді білдіреді.",
        },
    ]
}
USE = {"kind": "FORM_SUBMIT", "page": "/checkout", "language": "ru", "noticeShown": True}
ADDRESS = {
    "country": "KZ",
    "locality": "Алматы",
    "street": "Абай даңғылы",
    "house": "10",
    "flat": "5",
    "postalCode": "050000",
}
DATA: dict[str, Any] = {
    "familyName": "Әбілқайырұлы",
    "givenName": "Нұрсұлтан",
    "patronymic": "Ғалымұлы",
    "phone": "8 701 123 45 67",
    "email": "nursultan@example.kz",
    "address": ADDRESS,
}
FULL_NAME = "Әбілқайырұлы Нұрсұлтан Ғалымұлы"
PHONE = "+77011234567"
WORDING = "Хочу получать новости сайта по телефону и электронной почте"
_MEGABYTE = 1_000_000


def publish_policy(story: Story) -> None:
    """A privacy officer publishes the policy; every site's versions count from 1."""
    before = story.granted("privacyOfficer", "GET", "/v1/policies").json["policies"]
    newest = max((policy["version"] for policy in before), default=0)
    policy = story.granted("privacyOfficer", "POST", "/v1/policies", POLICY).json["policy"]
    story.policy_version = policy["version"]
    story.require(policy["version"] == newest + 1, f"this is version {newest + 1}", "9.1")
    story.require(len(policy["sha256"]) == 64, "its digest is fixed", "9.1")
    story.require(
        policy["effectiveTime"] >= policy["publishTime"], "it is in force from its posting", "9.2"
    )


def register_subject(story: Story) -> None:
    """A visitor uses the site, which is agreement."""
    answer = story.granted("storefront", "POST", "/v1/subjects", {"use": USE}).json
    story.subject_id = answer["subjectId"]
    acceptance = answer["acceptance"]
    version = story.policy_version
    story.require(
        acceptance["policyVersion"] == version, f"version {version} counts as accepted", "2.1"
    )
    story.require(acceptance["mode"] == "IMPLIED", "by using the site", "2.1")
    story.require(answer["enforcement"] == "IN_FORCE", "the vault has applied it", "2.1")


def place_data(story: Story) -> None:
    """The storefront places data; what is wrong is refused by name and leaves nothing."""
    path = f"/v1/subjects/{story.subject_id}/data"
    wrong_phone = story.ask("storefront", "PATCH", path, {"data": {**DATA, "phone": "8 701 12"}})
    story.refused(wrong_phone, 400, "INVALID_ARGUMENT", field_name="data.phone")
    unknown = story.ask("storefront", "PATCH", path, {"data": {**DATA, "shoeSize": "43"}})
    story.refused(unknown, 400, "INVALID_ARGUMENT", field_name="data.shoeSize")
    twice = '{"data":{"givenName":"Нұрсұлтан","givenName":"Нұрлан"}}'.encode()
    story.refused(
        story.ask("storefront", "PATCH", path, twice),
        400,
        "INVALID_ARGUMENT",
        field_name="data.givenName",
    )
    huge = {"data": {"givenName": "Ә" * (_MEGABYTE // 2)}}
    story.refused(story.ask("storefront", "PATCH", path, huge), 413, "TOO_LARGE")
    stored = story.granted("storefront", "PATCH", path, {"data": DATA}).json
    story.require(stored["version"] == 1, "this is version 1: nothing was stored before", "3.2")


def read_for_purpose(story: Story) -> None:
    """Data are read for a purpose of the policy, and only what it reaches."""
    data = _read(story, "IDENTIFY_FOR_ORDER")
    name = " ".join(data[part] for part in ("familyName", "givenName", "patronymic"))
    story.require(name == FULL_NAME, "the name is there", "4.1.1")
    story.require(data["phone"] == PHONE, f"the phone is kept as {PHONE}", "4.1.1")
    story.require(data["email"] == DATA["email"], "the e-mail is there", "4.1.1")
    story.require("address" not in data, "the address is not: the purpose needs none", "6.2.1")
    story.refused(_ask_to_read(story, "NEWS"), 403, "CONSENT_REQUIRED", "4.1.10")
    path = f"/v1/subjects/{story.subject_id}/data:read"
    story.refused(story.ask("storefront", "POST", path, {}), 400, "PURPOSE_UNKNOWN")


def consent_and_withdraw(story: Story) -> None:
    """Express consent opens a purpose, its withdrawal closes it for the very next read."""
    path = f"/v1/subjects/{story.subject_id}/consents/NEWS"
    grant = {"language": "ru", "wording": WORDING}
    granted = story.granted("storefront", "POST", f"{path}:grant", grant).json
    story.require(granted["enforcement"] == "IN_FORCE", "the consent is in force", "4.1.10")
    story.require(_read(story, "NEWS")["phone"] == PHONE, "NEWS reaches the phone", "4.1.10")
    withdrawn = story.granted("storefront", "POST", f"{path}:withdraw", {}).json
    story.require(withdrawn["enforcement"] == "IN_FORCE", "the withdrawal is in force", "4.1.10")
    story.refused(_ask_to_read(story, "NEWS"), 403, "CONSENT_WITHDRAWN", "4.1.10")


def place_order(story: Story) -> None:
    """An order under the public offer is given to a courier."""
    story.delivery_id = _assigned(story, story.order_id)
    story.closed_delivery_id = _assigned(story, story.closed_order_id)


def release_to_courier(story: Story) -> None:
    """The courier of an open order gets what a delivery needs; nobody else gets anything."""
    listed = story.granted("courier", "GET", "/v1/deliveries?pageSize=1000")
    ids = [delivery["deliveryId"] for delivery in listed.json["deliveries"]]
    story.require(story.delivery_id in ids, "the courier's list has the delivery", "5.2")
    told = [text for text in (*_texts(DATA), PHONE) if text in listed.content.decode()]
    story.require(_telling(told) == [], "and no personal data", "3.4")
    details = _release(story, "courier", story.delivery_id)["details"]
    story.require(details["name"] == FULL_NAME, "the courier gets the name", "5.2")
    story.require(details["phone"] == PHONE, "the phone", "5.2")
    story.require(details["address"]["street"] == ADDRESS["street"], "the address", "5.2")
    story.require(details["orderId"] == story.order_id, "and the order's number", "5.2")
    story.require("email" not in details, "but no e-mail", "5.2")
    closing = f"/v1/orders/{story.closed_order_id}:close"
    story.granted("storefront", "POST", closing, {})
    refusals = [
        story.ask(who, "POST", f"/v1/deliveries/{delivery}:release", {})
        for who, delivery in (
            ("otherCourier", story.delivery_id),
            ("courier", story.closed_delivery_id),
            ("courier", new_uuid()),
        )
    ]
    for refusal in refusals:
        story.refused(refusal, 404, "NOT_AVAILABLE")
    same = {refusal.content_but_reference for refusal in refusals}
    story.require(len(same) == 1, "whatever the cause, the answer is the same bytes", "6.2.2")


def _ask_to_read(story: Story, purpose: str) -> Any:
    path = f"/v1/subjects/{story.subject_id}/data:read"
    return story.ask("storefront", "POST", path, {"purpose": purpose})


def _read(story: Story, purpose: str) -> dict[str, Any]:
    path = f"/v1/subjects/{story.subject_id}/data:read"
    data: dict[str, Any] = story.granted("storefront", "POST", path, {"purpose": purpose}).json[
        "data"
    ]
    return data


def _assigned(story: Story, order_id: str) -> str:
    order = {"orderId": order_id, "subjectId": story.subject_id}
    opened = story.granted("storefront", "POST", "/v1/orders", {"order": order}).json
    story.require(opened["enforcement"] == "IN_FORCE", "the order is open", "5.2")
    courier = story.conversation.credentials["courier"]["recipientId"]
    path = f"/v1/orders/{order_id}:assign"
    assigned = story.granted("storefront", "POST", path, {"recipientId": courier}).json
    story.require(assigned["enforcement"] == "IN_FORCE", "the courier has it", "5.2")
    return str(assigned["delivery"]["deliveryId"])


def _release(story: Story, who: str, delivery_id: str) -> dict[str, Any]:
    return story.granted(who, "POST", f"/v1/deliveries/{delivery_id}:release", {}).json


def _texts(document: dict[str, Any]) -> list[str]:
    found = []
    for value in document.values():
        found += _texts(value) if isinstance(value, dict) else [str(value)]
    return found


def _telling(texts: list[str]) -> list[str]:
    """Without texts so short that they stand in any id, such as a house's number."""
    return [text for text in texts if len(text) > 3]


FIRST_STEPS = (
    Step(1, "The privacy policy is published", publish_policy),
    Step(2, "A visitor uses the site, and so agrees", register_subject),
    Step(3, "The storefront places the visitor's data", place_data),
    Step(4, "Data are read for a purpose, or not at all", read_for_purpose),
    Step(5, "Consent to news is given and withdrawn", consent_and_withdraw),
    Step(6, "An order is placed and given to a courier", place_order),
    Step(7, "The courier, and nobody else, learns where to deliver", release_to_courier),
)
