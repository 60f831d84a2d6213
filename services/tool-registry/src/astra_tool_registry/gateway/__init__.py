"""The MCP gateway: the one place that starts tool servers and talks to them."""
