package ports_test

import (
	"errors"
	"fmt"

	"github.com/gal-friday/marketdata/ports"
)

// A program tests the kind of an error and prints its message.
func ExampleError() {
	err := error(&ports.Error{
		Kind: ports.ErrTimeout, Op: "fetch", Store: "postgres", Subject: "BTC/USD 1m", Phase: ports.PhaseAcquire,
		Err: errors.New("all 10 connections are in use"),
	})

	switch {
	case errors.Is(err, ports.ErrTimeout), errors.Is(err, ports.ErrUnavailable), errors.Is(err, ports.ErrOverloaded):
		fmt.Println("retry:", err)
	case errors.Is(err, ports.ErrInvalid):
		fmt.Println("do not retry:", err)
	}
	// Output:
	// retry: postgres: fetch BTC/USD 1m: timeout while waiting for a connection: all 10 connections are in use
}
