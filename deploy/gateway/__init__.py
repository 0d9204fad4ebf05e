"""The gateway: every model over HTTP, in OpenAI's dialect and in those of the programs that people already have."""
