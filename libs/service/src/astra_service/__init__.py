"""What every ASTRA service is built on: application, settings, database, logs, wake-ups. It knows no service."""
