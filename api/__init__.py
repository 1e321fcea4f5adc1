"""The HTTP surface. It enqueues by writing rows: it stands on worker.moderation, worker.store and worker.intake, and loads no engine."""
