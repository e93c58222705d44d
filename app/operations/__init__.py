"""Whether an installation is in order: while it serves, and looked at from outside."""
