"""The service behind the API: store, job table, durable queue, workers."""

from delineate.jobs.settings import Settings
from delineate.jobs.supervisor import running, serve

__all__ = ["Settings", "running", "serve"]
