// Package e2e tries the command as a user does: the built program, its files and streams, nothing inside. A script in scripts/
// is a scene a subcommand, those in servers/ run on real servers, without a shared cache and with one, those in shared/ share one;
// `exits CODE command...` runs a command that has to end with that exit code.
package e2e
