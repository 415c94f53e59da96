"""Relation heads: one file each, siblings with one interface."""
