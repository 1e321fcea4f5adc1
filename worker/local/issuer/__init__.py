"""A tiny OpenID provider for one machine: development, trying things out, tests. It asks for no password.

Whoever reaches it can sign in as anybody who is invited, so it listens on loopback alone and refuses to run in production mode. Everything
else is as real providers do it: discovery, keys, authorization codes that work once, PKCE, signed id tokens.
"""
