"""The same on Ray: actors, replicas, the fleet of a cluster."""
