"""What leaves the laboratory: a signed report for people, and for machines."""
