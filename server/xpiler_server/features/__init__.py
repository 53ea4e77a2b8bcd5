"""What the server offers, one module a feature. Handlers turn what the engine found into protocol
messages."""
