"""The offline teacher: a procedural generator of arenas from small worlds, behind the interface of a model."""
