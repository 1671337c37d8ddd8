"""The document behind the canvases, without Qt: recipe, layout, edits as command values, journal."""
