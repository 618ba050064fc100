"""Drives the interop programs: builds them, runs a broker for them, counts their checks."""
