"""What the models are asked, one Jinja template a question."""
