"""ZoomIn on Celery workers: S3 in, verdicts with boxes and explanations in Postgres out."""
