# SPDX-License-Identifier: Apache-2.0
"""Settings: a file, then the environment; what is not known stops the start."""

from pathlib import Path

import pytest

from services.chassis.config import ConfigError, Settings, load_settings


class Example(Settings):
    """Settings of an example."""

    listen: str
    workers: int = 4
    database_url: str = "postgresql:///x"


def _file(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "example.toml"
    path.write_text(text)
    return {"QUPIA_CONFIG": str(path)}


def test_the_environment_lies_over_the_file(tmp_path: Path) -> None:
    environ = _file(tmp_path, 'listen = "a:1"\nworkers = 8\n')
    settings = load_settings(Example, "example", environ | {"QUPIA_EXAMPLE_WORKERS": "2"})
    assert (settings.listen, settings.workers) == ("a:1", 2)


def test_another_processs_environment_is_not_looked_at() -> None:
    environ = {"QUPIA_EXAMPLE_LISTEN": "a:1", "QUPIA_VAULT_WORKERS": "x", "WORKERS": "y"}
    assert load_settings(Example, "example", environ).workers == 4


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, ["listen: missing", "QUPIA_EXAMPLE_LISTEN"]),
        ({"QUPIA_EXAMPLE_LISTN": "x"}, ["listn: no such key; did you mean listen?"]),
        ({"QUPIA_EXAMPLE_ZZZ": "x"}, ["zzz: no such key"]),
        ({"QUPIA_EXAMPLE_LISTEN": "a", "QUPIA_EXAMPLE_WORKERS": "many"}, ["workers:"]),
        ({"QUPIA_CONFIG": "/nowhere/x.toml"}, ["cannot read", "/nowhere/x.toml"]),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(environ: dict[str, str], said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(Example, "example", environ)
    for words in said:
        assert words in str(caught.value)


def test_every_fault_is_named_at_once_and_the_known_keys_too() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(Example, "example", {"QUPIA_EXAMPLE_A": "1", "QUPIA_EXAMPLE_B": "2"})
    text = str(caught.value)
    assert all(words in text for words in ("a: no", "b: no", "listen: missing", "known keys:"))


def test_a_wrong_value_is_not_quoted(tmp_path: Path) -> None:
    environ = _file(tmp_path, 'listen = "a"\nworkers = "hunter2"\n')
    with pytest.raises(ConfigError) as caught:
        load_settings(Example, "example", environ)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_not_toml_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not TOML"):
        load_settings(Example, "example", _file(tmp_path, "listen = "))


def test_an_unknown_key_in_the_file_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lisen: no such key; did you mean listen"):
        load_settings(Example, "example", _file(tmp_path, 'listen = "a"\nlisen = "b"\n'))


def test_settings_do_not_change_afterwards() -> None:
    settings = load_settings(Example, "example", {"QUPIA_EXAMPLE_LISTEN": "a"})
    with pytest.raises(ValueError, match="frozen"):
        settings.workers = 3
