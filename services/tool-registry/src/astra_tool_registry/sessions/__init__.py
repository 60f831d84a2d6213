"""Live tool sessions over HTTP."""
