"""The webhook sender: the one process of ours that speaks to addresses which tenants choose. It needs Postgres and a way out, no more."""
