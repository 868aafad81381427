"""Reads cameras of any make over ONVIF, for checks. Observation only: it has no plan and no writer.

It is a driver's room and not one of `verify`, since it speaks to a device; `verify` judges what was read.
"""
