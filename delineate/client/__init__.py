"""A delineate service elsewhere, used as if it were here.

>>> from delineate.client import Client
>>> with Client("http://127.0.0.1:8000") as service:      # doctest: +SKIP
...     image = service.upload("ct")
...     job = service.run(image, "organs.ct")
...     for state in job.follow():
...         print(state.stage, state.progress)
...     found = job.delineation()
"""

from delineate.client.evaluation import RemoteEvaluation
from delineate.client.image import RemoteImage
from delineate.client.job import JobState, RemoteJob
from delineate.client.service import Client

__all__ = ["Client", "JobState", "RemoteEvaluation", "RemoteImage", "RemoteJob"]
