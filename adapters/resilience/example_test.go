package resilience_test

import (
	"context"
	"fmt"

	"github.com/gal-friday/marketdata/adapters/resilience"
	"github.com/gal-friday/marketdata/ports"
)

// A read that finds the server restarting succeeds in its second attempt.
func ExamplePolicy_Bars() {
	restarting := &ports.Error{Kind: ports.ErrUnavailable, Store: "server", Retryable: true}
	server, _ := newFlaky(restarting)
	policy := resilience.New("server", resilience.NewLimits(1<<30, 1_000))

	bars := policy.Bars(server)
	fmt.Println(read(context.Background(), bars), server.calls.Load())
	// Output: <nil> 2
}
