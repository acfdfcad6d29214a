"""What both doors share: limits, the attempt itself, its settlement, and waiting for its end."""
