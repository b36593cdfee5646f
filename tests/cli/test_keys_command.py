"""Keys, the audit and the doctor on the command line; who may listen where."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from delineate.cli import main
from delineate.errors import InputError, MissingExtraError
from delineate.jobs import Settings
from delineate.jobs.database import connect
from delineate.jobs.keys import KeyRing
from delineate.jobs.supervisor import Supervisor


class Terminal:
    """Runs commands for one service's folder."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.data, self._capsys = data, capsys

    def run(self, *words: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--data", str(self.data)])
        told = self._capsys.readouterr()
        assert (ended.value.code or 0) == code, told.err
        return told.out

    def database(self) -> sa.Engine:
        return connect(Settings(data=self.data).database_url)


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path / "data", capsys)


def test_a_key_is_shown_once_listed_and_revoked(terminal: Terminal) -> None:
    words = ("keys", "add", "viewer", "--tenant", "ward", "--scope", "read", "--expires", "90d")
    secret = terminal.run(*words).strip()

    assert re.fullmatch(r"dlk_[0-9a-f]{16}_[\w-]{43}", secret)
    database = terminal.database()
    assert KeyRing(database).principal(secret).tenant == "ward"
    listed = terminal.run("keys", "list", "--json")
    assert secret not in listed
    (key,) = json.loads(listed)
    assert (key["name"], key["scopes"], key["state"]) == ("viewer", ["read"], "usable")
    terminal.run("keys", "revoke", "viewer")
    assert json.loads(terminal.run("keys", "list", "--json"))[0]["state"] == "revoked"
    database.dispose()
    told = [json.loads(line) for line in terminal.run("audit").splitlines()]
    assert [one["action"] for one in told] == ["keys add viewer", "keys revoke viewer"]


def test_an_audit_that_was_changed_shows(terminal: Terminal) -> None:
    for number in range(3):
        terminal.run("keys", "add", f"key-{number}")
    head = terminal.run("audit", "--verify").strip()
    assert head.startswith("3:")
    assert states(terminal.run("doctor", "--json"))["audit"] == "ok"

    def change(statement: str) -> None:
        database = terminal.database()
        with database.begin() as connection:
            connection.execute(sa.text(statement))
        database.dispose()

    change("UPDATE audit SET who = 'nobody' WHERE number = 2")
    terminal.run("audit", "--verify", code=1)
    assert states(terminal.run("doctor", "--json", code=1))["audit"] == "broken"
    change("DELETE FROM audit WHERE number = 2")
    terminal.run("audit", "--verify", code=1)
    change("DELETE FROM audit WHERE number >= 2")
    terminal.run("audit", "--verify")  # an end that was cut off shows only to who knows it
    terminal.run("audit", "--verify", "--head", head, code=1)


def states(told: str) -> dict[str, Any]:
    found = {one["part"]: one["state"] for one in json.loads(told)}
    return found | {"audit": found.get("audit", found["database"])}


@pytest.mark.parametrize(
    "words",
    [
        ("keys", "add", "a", "--scope", "root"),
        ("keys", "add", "a", "--tenant", "A"),
        ("keys", "add", "a", "--expires", "soon"),
        ("keys", "revoke", "nobody"),
        ("audit", "--verify", "--head", "x"),
    ],
)
def test_what_cannot_be_asked_is_wrong_usage(terminal: Terminal, words: tuple[str, ...]) -> None:
    terminal.run(*words, code=2)


def test_beyond_this_machine_it_listens_only_with_keys(terminal: Terminal) -> None:
    settings = Settings(data=terminal.data)
    with pytest.raises(InputError, match="delineate keys add"):
        Supervisor("0.0.0.0", 0, settings, 1)

    terminal.run("keys", "add", "a")
    Supervisor("0.0.0.0", 0, settings, 1).close()
    terminal.run("keys", "revoke", "a")
    with pytest.raises(InputError, match="delineate keys add"):
        Supervisor("0.0.0.0", 0, settings, 1)
    Supervisor("127.0.0.1", 0, settings, 1).close()


@pytest.mark.parametrize(
    ("more", "extra"),
    [({"deidentify": "ps3.15"}, "deidentify"), ({"oidc": "https://issuer.example"}, "oidc")],
)
def test_what_the_settings_need_is_missed_before_it_starts(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], extra: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with pytest.raises(MissingExtraError, match=rf"delineate\[{extra}\]"):
        Supervisor("127.0.0.1", 0, Settings(data=terminal.data, **more), 1)


def test_the_doctor_says_what_is_not_there(terminal: Terminal) -> None:
    found = states(terminal.run("doctor", "--json"))

    assert found["database"] == "absent"
    assert found["disk"] == found["package numpy"] == found["detector organs.ct"] == "ok"
    assert not terminal.data.exists()
