"""Tools across servers: listing and search."""
