"""Explains and grounds pictures automatically, twice each, and keeps what agrees (the recipe of MagniFake). People check a sample."""
