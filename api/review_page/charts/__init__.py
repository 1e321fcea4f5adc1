"""Charts as inline SVG, drawn by the server: values in, markup out. Pure; nothing here knows what it is a chart of.

Colour is never the only cue: series have markers, dashes and hatching of their own, rows have words and numbers. Colours are classes of
`dashboard.css`, so that a chart is as light or dark as its page; no element has a style attribute, which the page's policy forbids. Each
chart has a title and a description in words, and each of its marks says its value when it is pointed at.
"""
