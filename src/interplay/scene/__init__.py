"""Relations between the things in a picture: seven relation heads, and superpixel-based interaction learning (SIL)."""
