# SPDX-License-Identifier: Apache-2.0
"""Letters that leave by e-mail, against a real SMTP server."""

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from cli.port import choose_port
from services.chassis.clock import FixedClock
from services.chassis.config import ConfigError
from services.chassis.mail import (
    Attachment,
    Letter,
    LetterNotSent,
    Mailer,
    MailSettings,
    mailer_of,
)
from tests.harness.mail_server import MailServer

CLOCK = FixedClock(datetime(2026, 11, 26, 9, 30, tzinfo=UTC))
ADDRESS = "Nursultan@мысал.қаз"
LETTER = Letter(
    ADDRESS,
    "Өтінішіңізге жауап",
    "Құрметті Нұрсұлтан!\nЖауап қоса берілді.",
    [Attachment("2026-000001.pdf", "application/pdf", b"%PDF-1.7 \xff\x00")],
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    with MailServer(tmp_path) as running:
        yield running


def _mailer(server: MailServer, **changed: object) -> Mailer:
    values = {key.lower(): value for key, value in server.settings.items()} | changed
    mailer = mailer_of(MailSettings.model_validate(values), CLOCK, development=False)
    assert mailer is not None
    return mailer


def test_a_letter_arrives_whole(server: MailServer) -> None:
    message_id = _mailer(server).send(LETTER, 10)
    (letter,) = server.letters
    assert server.recipients == ["Nursultan@xn--80awbu3c.xn--80ao21a"]
    assert letter["Message-ID"] == message_id
    assert letter["Subject"] == LETTER.subject
    body = letter.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == LETTER.text.splitlines()
    (attached,) = letter.iter_attachments()
    assert attached.get_filename() == "2026-000001.pdf"
    assert attached.get_content() == LETTER.attachments[0].content


def test_a_message_id_names_nobody(server: MailServer) -> None:
    message_id = _mailer(server).send(LETTER, 10)
    assert message_id.endswith("@example.kz>")
    assert "nursultan" not in message_id.lower()


@pytest.mark.parametrize(
    ("answer", "for_good"), [("550 no Nursultan here", True), ("451 later, Nursultan", False)]
)
def test_a_refused_address_is_told_apart_from_a_busy_server(
    server: MailServer, answer: str, for_good: bool
) -> None:
    server.answers = [answer]
    with pytest.raises(LetterNotSent) as caught:
        _mailer(server).send(LETTER, 10)
    assert caught.value.for_good is for_good
    assert "ursultan" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert server.letters == []


def test_a_server_that_nobody_vouches_for_gets_nothing(server: MailServer) -> None:
    for distrusting in ({"smtp_authority": None}, {"smtp_security": "tls"}):
        with pytest.raises(LetterNotSent, match="smtp_authority") as caught:
            _mailer(server, **distrusting).send(LETTER, 10)
        assert not caught.value.for_good
    assert server.letters == []


def test_an_authority_that_cannot_be_used_stops_the_start(
    server: MailServer, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    empty = tmp_path / "empty.pem"
    empty.touch()
    for authority in (broken, empty, tmp_path / "nowhere.pem"):
        with pytest.raises(ConfigError, match="smtp_authority"):
            _mailer(server, smtp_authority=authority)


def test_a_name_that_no_server_can_have_is_tried_again(server: MailServer) -> None:
    with pytest.raises(LetterNotSent, match="smtp_host") as caught:
        _mailer(server, smtp_host="a..kz").send(LETTER, 10)
    assert not caught.value.for_good


def test_a_wrong_password_is_no_fault_of_the_address(server: MailServer, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("guess")
    with pytest.raises(LetterNotSent, match="535") as caught:
        _mailer(server, smtp_password_file=wrong).send(LETTER, 10)
    assert not caught.value.for_good


def test_a_server_that_is_away_is_tried_again(server: MailServer) -> None:
    with pytest.raises(LetterNotSent) as caught:
        _mailer(server, smtp_port=choose_port(0)).send(LETTER, 10)
    assert not caught.value.for_good


@pytest.mark.parametrize(
    "address", ["", "nobody", "@example.kz", "a b@example.kz", "a@b\r\nBcc: c@d.kz", "a@..kz"]
)
def test_what_is_no_address_is_never_written_to(server: MailServer, address: str) -> None:
    with pytest.raises(LetterNotSent) as caught:
        _mailer(server).send(Letter(address, "s", "t"), 10)
    assert caught.value.for_good
    assert server.letters == []


def test_a_subject_of_two_lines_makes_no_header(server: MailServer) -> None:
    _mailer(server).send(Letter(ADDRESS, "one\r\nBcc: other@example.kz", "t"), 10)
    assert server.letters[0]["Bcc"] is None
    assert len(server.recipients) == 1


def test_a_development_run_keeps_letters_in_a_folder(tmp_path: Path) -> None:
    settings = MailSettings(mail_folder=tmp_path / "mail")
    mailer = mailer_of(settings, CLOCK, development=True)
    assert mailer is not None
    mailer.send(LETTER, 1)
    (path,) = (tmp_path / "mail").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "ursultan" not in path.name
    letter = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert letter["Subject"] == LETTER.subject


def test_production_refuses_what_is_made_for_development(tmp_path: Path) -> None:
    settings = MailSettings(mail_folder=tmp_path)
    with pytest.raises(ConfigError, match="mail_folder"):
        mailer_of(settings, CLOCK, development=False)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"smtp_host": "mail.example.kz"}, "mail_from"),
        ({"smtp_host": "mail.example.kz", "mail_from": "Qupia <a@example.kz>"}, "mail_from"),
        (
            {
                "smtp_host": "mail.example.kz",
                "mail_from": "a@example.kz",
                "smtp_security": "none",
            },
            "smtp_security",
        ),
        (
            {
                "smtp_host": "localhost",
                "mail_from": "a@example.kz",
                "smtp_password_file": "/nowhere/password",
            },
            "smtp_password_file",
        ),
    ],
)
def test_settings_that_cannot_work_name_their_key(values: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        mailer_of(MailSettings.model_validate(values), CLOCK, development=False)


def test_nothing_set_is_no_mailer() -> None:
    assert mailer_of(MailSettings(), CLOCK, development=False) is None
