"""Who works at the desk: people, what each role may do, and how they sign in."""
