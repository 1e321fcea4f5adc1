"""The sender of statements of reasons: speaks to the transparency database and to nobody else. It needs Postgres and a way out."""
