// Command marketdata imports, queries and exports historical bars, trades and quotes from the shell. `marketdata
// --help` teaches it by example.
//
// Each subcommand has a file of its own, which parses the arguments, calls the library and prints the result. Logic
// that a user of the library needs must not be here.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // because grids have time zones, and a machine may have no zone database
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
