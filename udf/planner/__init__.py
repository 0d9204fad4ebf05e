"""The planner: a statement's requests are found and sent before it runs, so that no call is wasted."""
