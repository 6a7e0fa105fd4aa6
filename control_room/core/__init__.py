"""The pure heart of the control room: no Qt, no input or output, no clock, no logging, no asyncio."""
