"""The service behind the API: store, job table, durable queue, workers."""

from delineate.jobs.settings import Settings
from delineate.jobs.supervisor import cards, free_names, running, serve, work

__all__ = ["Settings", "cards", "free_names", "running", "serve", "work"]
