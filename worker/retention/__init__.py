"""Ends what is past its term: removal of objects from S3, and the daily run over everything."""
