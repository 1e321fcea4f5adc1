"""The audit trail beyond the database: seals in S3, and checking all of it."""
