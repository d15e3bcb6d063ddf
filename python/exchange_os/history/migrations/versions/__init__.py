"""One module each, in the order of their numbers. They never change once they are in a release."""
