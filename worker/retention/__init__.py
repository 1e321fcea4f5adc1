"""What deletes: removal of objects from S3, and the daily run over everything whose term is over."""
