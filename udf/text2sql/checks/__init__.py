"""Checks of generated SQL: extract it from an answer, guard it, bind it, translate it to other dialects."""
