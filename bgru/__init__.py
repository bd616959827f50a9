"""The command line: `bgru`, one short module per subcommand."""
