"""The vocabulary of hunts: entity types, their attributes and how they relate."""
