"""The commands, one module a noun: each parses, calls a service, shows the reply."""
