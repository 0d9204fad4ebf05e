"""Evaluation of models: suites, runs, scores and reports."""
