"""Other people's attack suites and corpora, run through our own gateway, each in an environment of its own."""
