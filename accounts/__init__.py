"""Who may act: laboratories, people, their roles, invitations and tokens."""
