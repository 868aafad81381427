"""Simulated cameras of no particular make that speak ONVIF over real HTTP(S). Shares no code with the driver."""
