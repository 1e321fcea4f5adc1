"""Prometheus metrics of the webhook sender."""

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 5.0, 10.0, 15.0)  # a neighbour's answer to our own time-out

FANNED_OUT = Counter("zoomin_webhook_events", "Events handed to the endpoints that want them")
ATTEMPTS = Counter("zoomin_webhook_attempts", "Attempts at deliveries, as they ended", ["outcome"])  # accepted, retried, given_up
ATTEMPT_SECONDS = Histogram("zoomin_webhook_attempt_seconds", "From look-up to answer", buckets=SECONDS)
FENCED = Counter("zoomin_webhook_attempts_fenced", "Attempts that outlived their lease: the event was sent twice, under one id")
IN_FLIGHT = Gauge("zoomin_webhook_in_flight", "Attempts that are under way")
ENDPOINTS_STOPPED = Counter("zoomin_webhook_endpoints_stopped", "Endpoints paused for failing, or disabled by 410", ["state"])
