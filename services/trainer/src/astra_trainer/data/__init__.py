"""What policies learn from: rows pulled from the services that have them."""
