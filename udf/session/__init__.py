"""The state of one connection (`Session`) and of its running SQL statement (`Statement`)."""
