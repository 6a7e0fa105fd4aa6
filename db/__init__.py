"""The database room: the embedded server, the schema, and everything that reads or writes PostgreSQL."""
