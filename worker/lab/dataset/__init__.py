"""Builds the data: photographs in which networks drew regions, with exact boxes, and the controls that match them."""
