"""Pictures and the HTML page: draws samples, Interactions and arrays, and never runs a model.

Every drawing function returns a Matplotlib ``Figure`` that belongs to nobody else: pyplot is not imported, its state
and the global settings stay as they were.
"""
