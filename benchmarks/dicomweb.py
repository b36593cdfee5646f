"""How fast the DICOMweb node finds things among very many.

``python benchmarks/dicomweb.py [--studies 2000] [--instances 300] [--database URL]`` fills an index
and prints how long searches take: the median of several, with the number of rows answered.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import statistics
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from delineate.jobs import dicom_index
from delineate.jobs.database import connect, migrate
from delineate.jobs.dicom_attributes import Level
from delineate.jobs.dicom_query import parse
from delineate.jobs.dicom_record import Record
from delineate.jobs.dicom_search import Place, locate, search

REPEATS = 5
# As large as a real CT's: about 1 500 bytes packed.
HEADER = gzip.compress(json.dumps({"00091001": random.Random(1).randbytes(1500).hex()}).encode())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--studies", type=int, default=2000)
    options.add_argument("--instances", type=int, default=300)
    options.add_argument("--database", default="")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = connect(asked.database or f"sqlite:///{Path(folder) / 'index.db'}")
        migrate(database)
        began = time.perf_counter()
        for study in range(asked.studies):
            found = [record(study, instance) for instance in range(asked.instances)]
            dicom_index.add(database, "local", found, "own", "")
        seconds = time.perf_counter() - began
        total = asked.studies * asked.instances
        print(f"{total} instances of {asked.studies} studies indexed in {seconds:.1f} s")
        if not asked.database:
            size = sum(path.stat().st_size for path in Path(folder).iterdir())
            print(f"the database has {size / 2**20:.0f} MiB, {size / total:.0f} bytes each")
        measure(database, asked.studies)
        database.dispose()


def record(study: int, instance: int) -> Record:
    text = f"{study}.{instance}"
    dataset = {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
        "00080018": {"vr": "UI", "Value": [f"1.2.3.{text}"]},
        "00080020": {"vr": "DA", "Value": [f"20{study % 25:02d}{study % 12 + 1:02d}15"]},
        "00080060": {"vr": "CS", "Value": ["CT" if study % 3 else "MR"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": f"Name{study % 977}^Given"}]},
        "00100020": {"vr": "LO", "Value": [f"ID{study % 1500}"]},
        "0020000D": {"vr": "UI", "Value": [f"1.2.3.{study}"]},
        "0020000E": {"vr": "UI", "Value": [f"1.2.4.{study}.{instance // 150}"]},
        "00200013": {"vr": "IS", "Value": [instance]},
    }
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Record(dataset, HEADER, None, "1.2.840.10008.1.2.1", 525_000, digest, digest)


def measure(database: sa.Engine, studies: int) -> None:
    middle = f"1.2.3.{studies // 2}"
    everything = Place("local")
    searches: tuple[tuple[str, Level, Place, dict[str, str]], ...] = (
        ("the first 100 studies", "study", everything, {"limit": "100"}),
        ("the last 100 studies", "study", everything, {"offset": str(max(0, studies - 100))}),
        ("studies by patient id", "study", everything, {"PatientID": "ID77"}),
        ("studies by name*", "study", everything, {"PatientName": "name12*", "limit": "100"}),
        ("studies by date", "study", everything, {"StudyDate": "20100101-20101231"}),
        ("studies by modality", "study", everything, {"ModalitiesInStudy": "MR", "limit": "100"}),
        ("series of a study", "series", Place("local", middle), {}),
        ("instances of a study", "instance", Place("local", middle), {}),
        ("all instances, deep", "instance", everything, {"offset": "100000", "limit": "100"}),
        ("one instance by UID", "instance", everything, {"SOPInstanceUID": f"{middle}.7"}),
    )
    for title, level, place, parameters in searches:
        times = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            query = parse(level, list(parameters.items()), 1000)
            answer = search(database, place, query, "http://node/dicomweb")
            times.append(1000 * (time.perf_counter() - began))
        print(f"{title:24} {statistics.median(times):8.1f} ms  {len(answer.found):5} found")
    began = time.perf_counter()
    count = len(locate(database, Place("local", middle)))
    print(
        f"{'files of a study':24} {1000 * (time.perf_counter() - began):8.1f} ms  {count:5} found"
    )


if __name__ == "__main__":
    main()
