"""Where the application runs: in one process, or on Ray Serve."""
