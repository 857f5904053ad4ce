# front.sh - the front of the shell commands: options from one table, messages, exit statuses
