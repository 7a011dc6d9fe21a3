"""Keys and sealing, accounts and roles, what each role may do, and the tamper-evident audit chain."""
