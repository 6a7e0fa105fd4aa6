"""The control room: a SCADA desktop application for national water operators."""

__version__ = "0.1.0"
