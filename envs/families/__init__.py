"""Built-in world families, one module each; a look-up imports only the one it needs."""
