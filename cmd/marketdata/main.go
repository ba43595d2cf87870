// Command marketdata imports, looks at and gives out historical bars from the shell. `marketdata --help` teaches it by example.
//
// A subcommand parses its arguments, calls the library and prints what it says: one file each. What a user of the library would
// need is never here.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // grids have time zones, and a machine need not know any
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
