"""Workers without an API: what the tests of the engine and the campaigns need."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from service import series, until

from delineate.jobs import engine
from delineate.jobs.liveness import Presence
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store
from delineate.jobs.table import Job, JobTable
from delineate.jobs.upload import content_hash, image_id


class Bench:
    """Store, table and queue of a service whose workers the test starts and kills."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = engine.prepare(settings)
        self.table = JobTable(self.database)
        self.presence = Presence(settings, self.database)
        self.store = Store(settings).of("local")
        self.queue = engine.DurableQueue(self.database)
        self.image_id, self.series = self._image()
        self.pid = 0  # of a worker that stays
        self._processes: list[subprocess.Popen[bytes]] = []

    def worker(
        self, name: str, queue: str = "default", settings: Settings | None = None
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "delineate.jobs.worker", name, queue, str(os.getpid())],
            env={**os.environ, **(settings or self.settings).to_environment()},
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def submit(self, detector: str = "test.bright", **options: Any) -> str:
        job = self.table.submit(
            image_id=self.image_id,
            series=self.series,
            detector=detector,
            options=options,
            enqueue=self.queue.enqueue,
        )
        return job.id

    def wait(self, job_id: str, *states: str, seconds: float = 120.0) -> Job:
        wanted = states or ("done", "failed", "cancelled")
        return until(
            lambda: job if (job := self.table.get(job_id, tenant=None)).state in wanted else None,
            seconds,
        )

    def engine_rows(self, *tables: str) -> list[dict[str, Any]]:
        """What stands in the engine's own tables; in all of them unless some are named."""
        schema = "dbos" if self.database.dialect.name == "postgresql" else None
        names = tables or sa.inspect(self.database).get_table_names(schema)
        place = f"{schema}." if schema else ""
        rows: list[dict[str, Any]] = []
        with self.database.connect() as connection:
            for name in names:
                if name != "job":
                    found = connection.execute(sa.text(f'SELECT * FROM {place}"{name}"'))
                    rows += [dict(row._mapping) for row in found]
        return rows

    def owner(self, job_id: str) -> str:
        """Which worker has a job."""
        return str(self.table.get(job_id, tenant=None).worker)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self.database.dispose()

    def _image(self) -> tuple[str, str]:
        from delineate import formats

        with self.store.incoming() as folder:
            files = series(folder / "files")
            report = formats.inspect(files).to_json()
            document = {
                "id": image_id([content_hash(path) for path in files]),
                "files": len(files),
                "reading": {"uneven": "refuse", "spacing_mm": None},
                "report": report,
            }
            names = {path.name: path.name for path in files}
            (folder / "names.json").write_text(json.dumps(names))
            stored = self.store.keep(folder, document)
        return stored.document["id"], report["series"][0]["id"]


@contextmanager
def bench(data: Path, **settings: Any) -> Iterator[Bench]:
    one = Bench(Settings(data=data, **{"min_free_bytes": 0, **settings}))
    try:
        yield one
    finally:
        one.close()
        shutil.rmtree(data, ignore_errors=True)
