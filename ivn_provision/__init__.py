"""Declarative provisioning of video-verified alarm sites."""

__version__ = "0.1.0"
