"""The HTTP surface. It enqueues by writing rows: it stands on worker.moderation, store, intake and exports, and loads no engine."""
