"""The Model Context Protocol: an agent's two tools over the databases, `search` and `query`."""
