"""The files under ``deploy`` say what the service understands."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from delineate.cli import application
from delineate.jobs.settings import Settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OURS = {name: one for name, one in COMPOSE["services"].items() if one.get("image") == "delineate"}


def parsed(arguments: list[str]) -> None:
    """Parse a command line as ``delineate`` would, without doing it."""
    group = typer.main.get_command(application())
    with group.make_context("delineate", arguments[:1], resilient_parsing=True) as context:
        command = group.get_command(context, arguments[0])  # type: ignore[attr-defined]
        assert command is not None
        command.make_context(arguments[0], arguments[1:], parent=context)


def test_the_commands_of_the_services_are_understood() -> None:
    assert set(OURS) == {"api", "worker", "worker-gpu"}
    for service in OURS.values():
        parsed(list(service["command"]))
    with pytest.raises(Exception, match="No such option"):
        parsed(["worker", "--qeue", "gpu"])


def test_every_variable_is_a_setting() -> None:
    known = {f"DELINEATE_{one.name.upper()}" for one in fields(Settings)}
    told = {name for one in OURS.values() for name in one["environment"]}
    image = set(re.findall(r"DELINEATE_\w+", (DEPLOY / "Dockerfile").read_text()))
    unit = set(re.findall(r"DELINEATE_\w+", (DEPLOY / "delineate.service").read_text()))

    assert {name for name in told if name.startswith("DELINEATE_")} | image | unit <= known
    assert image


def test_what_the_services_refer_to_is_there() -> None:
    for service in COMPOSE["services"].values():
        assert set(service.get("depends_on", ())) <= set(COMPOSE["services"])
        for volume in service.get("volumes", ()):
            name = volume.partition(":")[0]
            assert name.startswith("/") or name in COMPOSE["volumes"]
    assert (DEPLOY / OURS["api"]["build"]["context"] / OURS["api"]["build"]["dockerfile"]).exists()
    # Nothing but the API can be reached from outside, and that from this machine only.
    ports = {name: one["ports"] for name, one in COMPOSE["services"].items() if "ports" in one}
    assert ports == {"api": ["127.0.0.1:8000:8000"]}


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    text = (DEPLOY / "delineate.service").read_text()
    (command,) = re.findall(r"^ExecStart=(\S+) (.*)$", text, re.M)
    unit = tmp_path / "delineate.service"
    unit.write_text(text.replace(command[0], "/bin/true"))

    verified = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60
    )

    assert (verified.returncode, verified.stderr) == (0, "")
    parsed(command[1].replace("/etc/delineate.toml", "/dev/null").split())
