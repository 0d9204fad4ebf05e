"""Verified examples: questions with SQL that a person has confirmed, kept beside the database."""
