"""How well a release tells pictures apart, measured through the path that judges in production."""
