"""An evaluation as tables, JSON and a page."""
