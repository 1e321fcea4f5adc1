"""The embedded stack for one machine: real Postgres, Valkey and S3 from wheels, and the product's own processes."""
