"""Batches: a script or one SELECT from files to a file, here or as a Ray job."""
