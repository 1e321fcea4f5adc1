"""Alembic's environment and revisions; inside the package so that `zoomin db upgrade` works from a wheel."""
