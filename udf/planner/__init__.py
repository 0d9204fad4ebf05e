"""The planner: what a statement will ask is found and asked before it runs, so that no call is made in vain."""
