"""What a translation of an explanation must keep, how that is verified, and nano's own catalogue. Pure: it asks nobody."""
