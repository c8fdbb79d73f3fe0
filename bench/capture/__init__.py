"""What a user's own program asks of GroupNorm, as a preset."""
