"""A PostgreSQL server of the tests' own; where Debian's is not installed they are skipped."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["Server", "server"]

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


class Server:
    """A PostgreSQL server of its own, on a loopback port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._run("initdb", "-A", "trust", "-U", "postgres", "-D", str(folder), "--no-sync")

    def start(self, *addresses: str) -> None:
        """On loopback, and on other addresses of this machine."""
        hosts = ",".join(["127.0.0.1", *addresses])
        options = f"-F -p {self.port} -h {hosts} -k {self._folder}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._folder), "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        """As if the power had failed."""
        self._run("pg_ctl", "-D", str(self._folder), "-m", "immediate", "-w", "stop")

    def fresh(self) -> str:
        """URL of a new database."""
        name = f"d{secrets.token_hex(6)}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name)
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def copied(self, url: str) -> str:
        """URL of a new database into which a dump of another was restored."""
        other, dump = self.fresh(), str(self._folder / f"{secrets.token_hex(6)}.dump")
        self._run("pg_dump", "--format=custom", f"--file={dump}", url)
        self._run("pg_restore", "--clean", "--if-exists", f"--dbname={other}", dump)
        return other

    def _run(self, program: str, *arguments: str) -> None:
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*user, str(PROGRAMS[-1] / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=60)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    if not PROGRAMS:
        pytest.skip("Debian's postgresql is not installed")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        one = Server(folder)
        one.start()
        yield one
        one.stop()
    finally:
        shutil.rmtree(folder)
