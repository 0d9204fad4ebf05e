"""The gateway: every model over HTTP, with the protocols of OpenAI, XiYan, Chat2DB and Byzer."""
