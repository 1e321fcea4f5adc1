"""Bytes in S3 → the exact pixels the model is sent. Hostile input is decoded in confined child processes."""
