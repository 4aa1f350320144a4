"""What happens to a case: accession, upload, classification, review, signature."""
