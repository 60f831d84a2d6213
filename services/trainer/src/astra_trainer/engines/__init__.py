"""What trains. Only here may torch be imported; the service starts an engine as a process of its own."""
