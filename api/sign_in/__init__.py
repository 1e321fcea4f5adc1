"""Signing people in with any OpenID provider: authorization code with PKCE, state and nonce.

`attempts` holds what the browser brings back, `provider` speaks to the issuer, `id_tokens` judges what it says. Who that is here is
decided by `worker.store.people.recognise`; the session that follows is `api.security.sessions`'s.
"""
