"""What a laboratory can count."""
