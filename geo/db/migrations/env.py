"""Alembic's entry: runs the migrations on the connection that `geo.db.migrations.upgrade` hands over."""

from alembic import context

from geo.db.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
