"""Nextword: text in, the next words out."""
