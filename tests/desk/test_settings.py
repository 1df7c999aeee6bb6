"""A workspace's settings: found upwards, whole, without secrets; what is wrong names file, key and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from desk.errors import SettingsError
from desk.settings import FILE_NAME, load_settings


def wrong(tmp_path: Path, text: str | bytes) -> str:
    """The message that a file with this text gives."""
    (tmp_path / FILE_NAME).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, {})
    message = str(caught.value)
    assert str(tmp_path / FILE_NAME) in message, "the file is named"
    return message


def test_without_a_file_everything_has_a_default_and_nothing_is_created(tmp_path: Path) -> None:
    found = load_settings(tmp_path, {})
    assert found.file is None
    assert found.workspace == tmp_path
    assert found.ledger_url == f"sqlite:///{tmp_path}/.lanewise/ledger.sqlite3"
    assert (found.company, found.policy, found.channel) == (None, None, "console")
    assert found.model.name is None
    assert not list(tmp_path.iterdir())


def test_the_nearest_file_upwards_is_read_and_its_paths_start_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "company").mkdir()
    (tmp_path / "mine.toml").write_text("")
    (tmp_path / FILE_NAME).write_text(
        '[ledger]\nurl = "sqlite:///data/l.sqlite3"\n[company]\ndirectory = "company"\n[policy]\nfile = "mine.toml"\n'
        '[channel]\nkind = "eml"\noutbox = "out"\nsender = "help@team.example"\n[model]\ntimeout_seconds = 5\n'
    )
    inner = tmp_path / "tickets" / "march"
    inner.mkdir(parents=True)
    found = load_settings(inner, {})
    assert found.file == tmp_path / FILE_NAME
    assert found.ledger_url == f"sqlite:///{tmp_path}/data/l.sqlite3"
    assert found.company == tmp_path / "company"
    assert found.policy == tmp_path / "mine.toml"
    assert (found.channel, found.outbox, found.sender) == ("eml", tmp_path / "out", "help@team.example")
    assert found.model.timeout_seconds == 5
    found.make_ledger_folder()
    assert (tmp_path / "data").is_dir()


def test_an_absolute_ledger_and_another_database_stay_as_they_are(tmp_path: Path) -> None:
    for url in ("sqlite:////var/lib/lanewise/l.sqlite3", "postgresql+psycopg://db.example/lanewise"):
        (tmp_path / FILE_NAME).write_text(f'[ledger]\nurl = "{url}"\n')
        assert load_settings(tmp_path, {}).ledger_url == url


def test_the_environment_goes_before_the_file_and_a_key_is_never_a_setting(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('[model]\nname = "small"\nbase_url = "http://file.example/v1"\n')
    env = {"LANEWISE_MODEL": "large", "OPENAI_BASE_URL": "http://env.example/v1", "OPENAI_API_KEY": "made-up-key"}
    found = load_settings(tmp_path, env)
    assert (found.model.name, found.model.base_url) == ("large", "http://env.example/v1")
    assert "made-up-key" not in repr(found)
    assert load_settings(tmp_path, {"LANEWISE_MODEL": " "}).model.name == "small"


def test_settings_cannot_be_changed_once_they_are_read(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        load_settings(tmp_path, {}).channel = "eml"


@pytest.mark.parametrize(
    ("text", "key", "advice"),
    [
        (
            "[channnel]\nkind = 'eml'\n",
            "channnel",
            "known here: ledger, company, policy, channel, mailbox, chat, model",
        ),
        ("[channel]\nkinds = 'eml'\n", "channel.kinds", "known here: kind, outbox, sender"),
        ("[channel]\nkind = 'fax'\n", "channel.kind", "'console', 'eml' or 'smtp'"),
        ("[channel]\nsender = 'Us <us@team.example>'\n", "channel.sender", "not one plain e-mail address"),
        ("[channel]\nsender = 'us@team.example\\nBcc: x@y.example'\n", "channel.sender", "not one plain"),
        ("[model]\ntimeout_seconds = 0\n", "model.timeout_seconds", "greater than 0"),
        ("[model]\ntimeout_seconds = 'soon'\n", "model.timeout_seconds", "valid number"),
        ("model = 'gpt'\n", "model", "correct this value"),
        ("[ledger]\nurl = 'sqlite://'\n", "ledger.url", "forgets"),
        ("[ledger]\nurl = 'sqlite:///:memory:'\n", "ledger.url", "forgets"),
        ("[ledger]\nurl = 'ledger.sqlite3'\n", "ledger.url", "no database URL"),
        ("[company]\ndirectory = 'nowhere'\n", "company.directory", "there is no directory"),
        ("[policy]\nfile = 'nowhere.toml'\n", "policy.file", "there is no file"),
        ("[ledger\n", "not valid TOML", "Mend that line"),
    ],
)
def test_what_is_wrong_is_named_with_its_key_and_what_to_do(tmp_path: Path, text: str, key: str, advice: str) -> None:
    message = wrong(tmp_path, text)
    assert key in message
    assert advice in message


def test_a_secret_in_the_file_is_refused_without_being_repeated(tmp_path: Path) -> None:
    message = wrong(tmp_path, "[model]\napi_key = 'sk-made-up'\n")
    assert "model.api_key: a secret never stands in this file" in message
    assert "OPENAI_API_KEY" in message
    assert "sk-made-up" not in message


def test_a_file_that_is_no_text_is_a_clear_error(tmp_path: Path) -> None:
    assert "UTF-8" in wrong(tmp_path, b"\xff\xfe\x00bad")


def test_a_file_that_a_windows_editor_saved_is_read(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"\xef\xbb\xbf[channel]\r\nkind = 'eml'\r\n")
    assert load_settings(tmp_path, {}).channel == "eml"


def test_a_start_that_is_no_directory_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not a directory"):
        load_settings(tmp_path / "nowhere", {})
