"""Kinds of containers: one file a family of formats, loaded when one is met."""
