"""The services: asyncio, free of Qt; they own the state and know drivers and database only as ports."""
