"""Figures of review, for those who lead it: what waits, what is answered, how people and models agree.

Each module is one figure: a few named queries within a tenant and a window of days, and frozen values. Nothing is kept in memory, and no
query reads more than the window.
"""
