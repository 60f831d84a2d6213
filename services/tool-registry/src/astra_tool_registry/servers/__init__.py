"""Tool servers: import, listing, removal."""
