"""The command line: `bgru`, one short module a subcommand."""
