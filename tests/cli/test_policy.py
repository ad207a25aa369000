# SPDX-License-Identifier: Apache-2.0
"""`qupia policy`: versions published from files, and shown."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.conversation import Conversation
from services.consent.policy import PolicyText, digest
from tests.harness.suite import Suite
from tests.policy.site import Site, new_site

Command = Callable[..., Result]
KK, RU = "Саясат\n\nСайтты пайдалану келісуді білдіреді.\n", "# Политика\n\nТекст политики.\n"


@pytest.fixture
def bare(suite: Suite) -> Iterator[Site]:
    """A site on which nothing was published."""
    with new_site(suite, policy=False) as made:
        yield made


@pytest.fixture
def command(suite: Suite, bare: Site, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `qupia policy` as the site's privacy officer."""
    conversation: Conversation = bare.conversation
    monkeypatch.setenv("QUPIA_GATEWAY", suite.gateway)
    monkeypatch.setenv("QUPIA_TOKEN", conversation.credentials["privacyOfficer"]["token"])
    return lambda *arguments: CliRunner().invoke(app, ["policy", *arguments])


@pytest.fixture
def texts(tmp_path: Path) -> list[str]:
    """Two files of texts."""
    paths = [tmp_path / "policy.kk.txt", tmp_path / "policy.ru.md"]
    for path, text in zip(paths, (KK, RU), strict=True):
        path.write_text(text, "utf-8")
    return [str(path) for path in paths]


def test_texts_are_published_and_their_digest_is_that_of_the_files(
    command: Command, texts: list[str]
) -> None:
    """T-9.1-a."""
    published = command("publish", *texts, "--prevailing", "ru", "--json")
    assert published.exit_code == 0, published.output
    policy = json.loads(published.stdout)["policy"]
    expected = (
        PolicyText("kk", "Саясат", "Сайтты пайдалану келісуді білдіреді.\n"),
        PolicyText("ru", "Политика", "Текст политики.\n"),
    )
    assert policy["sha256"] == digest(1, "ru", expected)
    shown = command("show", "1").stdout
    assert policy["sha256"] in shown
    assert "Сайтты пайдалану келісуді білдіреді." in shown


def test_a_list_says_which_version_is_in_force_and_which_is_to_come(
    command: Command, texts: list[str]
) -> None:
    assert "qupia policy publish" in command("list").stdout
    assert command("publish", *texts).exit_code == 0
    options = ("--effective", "2099-12-01", "--material", "NEWS", "--material", "ADVERTISING")
    later = command("publish", *texts, *options)
    assert later.exit_code == 0, later.output
    assert "2099-12-01 00:00:00 +0500" in later.stdout
    newest, first = command("list").stdout.splitlines()[1:]
    assert newest.split()[:3] == ["2", "to", "come"]
    assert "ADVERTISING NEWS" in newest
    assert first.split()[:3] == ["1", "in", "force"]
    listed = json.loads(command("list", "--json").stdout)["policies"]
    assert [policy["version"] for policy in listed] == [2, 1]


@pytest.mark.usefixtures("texts")
@pytest.mark.parametrize("kind", ["toml", "json"])
def test_a_manifest_names_everything(command: Command, tmp_path: Path, kind: str) -> None:
    manifest = tmp_path / f"policy.{kind}"
    if kind == "toml":
        manifest.write_text(
            'prevailingLanguage = "ru"\neffectiveTime = 2099-01-01\nmaterialPurposes = ["NEWS"]\n'
            '[[texts]]\nlanguage = "kk"\nfile = "policy.kk.txt"\n'
            '[[texts]]\nlanguage = "ru"\ntitle = "Политика"\nbody = "Текст"\n'
        )
    else:
        members = {"language": "ru", "title": "Политика", "body": "Текст"}
        document = {
            "prevailingLanguage": "ru",
            "effectiveTime": "2099-01-01T00:00:00+05:00",
            "materialPurposes": ["NEWS"],
            "texts": [{"language": "kk", "file": "policy.kk.txt"}, members],
        }
        manifest.write_text(json.dumps(document))
    published = command("publish", "--manifest", str(manifest), "--json")
    assert published.exit_code == 0, published.output
    policy = json.loads(published.stdout)["policy"]
    assert policy["prevailingLanguage"] == "ru"
    assert policy["effectiveTime"] == "2098-12-31T19:00:00Z"
    assert policy["materialPurposes"] == ["NEWS"]


def test_the_same_request_id_publishes_once(command: Command, texts: list[str]) -> None:
    versions = [
        json.loads(command("publish", *texts, "--request-id", "once", "--json").stdout)["policy"]
        for _ in range(2)
    ]
    assert versions[0] == versions[1]
    other = command("publish", texts[0], "--request-id", "once")
    assert other.exit_code == 1
    assert "IDEMPOTENCY_KEY_REUSED" in other.stderr


def test_what_the_service_refuses_is_told_with_its_field(
    command: Command, texts: list[str]
) -> None:
    refused = command("publish", *texts, "--effective", "2020-01-01")
    assert refused.exit_code == 1
    assert "effectiveTime" in refused.stderr
    assert refused.stdout == ""
    assert command("publish", *texts, "--material", "WHATEVER").exit_code == 1


def test_nobody_but_a_privacy_officer_publishes(
    command: Command, bare: Site, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUPIA_TOKEN", bare.conversation.credentials["auditor"]["token"])
    refused = command("publish", *texts)
    assert refused.exit_code == 77
    assert "PERMISSION_DENIED" in refused.stderr
    assert command("list").exit_code == 0


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("policy.txt", KK, "the language"),
        ("policy.kk.txt", "only a title\n", "line of title"),
        ("policy.kk.txt", b"\xff\xfe\xff", "UTF-8"),
        ("m.toml", "texts = 7", "lists"),
        ("m.toml", "=", "TOML"),
        ("m.json", '{"text": []}', "no member"),
        ("m.json", '{"texts": [{"languge": "kk"}]}', "members"),
        ("m.json", '{"texts": [{"file": "gone.kk.txt"}]}', "cannot be read"),
    ],
)
def test_a_file_that_is_wrong_is_told_by_its_name_before_anything_is_sent(
    command: Command, tmp_path: Path, name: str, content: str | bytes, told: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    options = ("--manifest", str(path)) if name.startswith("m.") else (str(path),)
    refused = command("publish", *options)
    assert refused.exit_code == 2
    assert told in " ".join(refused.stderr.replace("│", " ").split())


@pytest.mark.parametrize("time", ["tomorrow", "2099-12-01T09:00"])
def test_a_time_without_zone_is_asked_for_one(
    command: Command, texts: list[str], time: str
) -> None:
    assert command("publish", *texts, "--effective", time).exit_code == 2
    assert json.loads(command("list", "--json").stdout) == {"policies": []}
