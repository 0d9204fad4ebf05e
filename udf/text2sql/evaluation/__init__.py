"""How good a model is: suites, runs, scores and reports."""
