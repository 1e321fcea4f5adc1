"""Who calls, what they may do, how often."""
