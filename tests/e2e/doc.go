// Package e2e tests the command as a user runs it: the built program with its files and streams. Each script in
// scripts/ tests one subcommand on a SQLite file; those in servers/ run on real servers, with and without a shared
// cache, those in shared/ with one. `exits CODE command...` runs a command that must end with the exit code.
package e2e
