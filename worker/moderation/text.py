"""Model text and file names are untrusted: what people and databases are shown goes through here first."""

import unicodedata

# Cc: control (terminal escapes, NUL, which Postgres refuses); Cf: format (bidi overrides, zero-width); Cs: lone surrogates;
# Co, Cn: private and unassigned.
HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def clean(text: str, limit: int | None = None) -> str:
    """`text` on one line, without control, bidi or invisible characters, at most `limit` characters long."""
    visible = "".join(" " if c in "\n\r\t" else c for c in text if c in "\n\r\t" or unicodedata.category(c) not in HIDDEN_CATEGORIES)
    line = " ".join(visible.split())
    return line if limit is None or len(line) <= limit else line[: limit - 1].rstrip() + "…"
