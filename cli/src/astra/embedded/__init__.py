"""The embedded mode: the four services as children of this process, on SQLite, without Redis or Docker."""
