"""Postgres, the queue of record: typed models, sessions, and one module per noun. Functions receive a session; the edge commits."""
