"""Explanations that are tested, not only shown. Importing this package, or what of it knows no torch, loads nothing heavy."""
