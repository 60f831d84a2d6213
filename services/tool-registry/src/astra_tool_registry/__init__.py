"""The tool registry: real tool servers, the tools they offer, what may follow what, and live connections to them."""
