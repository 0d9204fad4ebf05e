"""Notes on the data: what a firm knows about its database, in Markdown files, comments and a dbt manifest."""
