"""Repairs of generated SQL that need no model, and what a model is told for the repairs that do."""
