"""Predictions and targets become numbers. Knows no models, no data sets, and no files but its own score archive."""
