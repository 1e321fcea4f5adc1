"""The review page as people use it: Chromium, a server, the local issuer. A package, so that its browser ends with its last test."""
