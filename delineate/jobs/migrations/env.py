"""What alembic runs: the versions, on the connection that it was given."""

from alembic import context

from delineate.jobs.database import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by making another
)
with context.begin_transaction():
    context.run_migrations()
