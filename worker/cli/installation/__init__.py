"""What commands work on: the installation whose database is at hand, or one far away behind its API."""
