"""The method: scan the whole image for regions worth a closer look, zoom into them, judge (arXiv 2510.04225)."""
