"""The database's tables, version by version; run by `jobs.database.migrate`."""
