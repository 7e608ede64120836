"""One module a command: `main(arguments)` turns them into a configuration and calls into a room."""
