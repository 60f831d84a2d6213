"""Tool graphs: which tool may follow which, the evidence for it, and weighted walks (paper §3.1.2)."""
