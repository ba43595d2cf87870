package breaker_test

import (
	"fmt"

	"github.com/gal-friday/marketdata/adapters/breaker"
)

// After two failures in a row, calls are refused without asking the server.
func ExampleConsecutive() {
	b := breaker.Consecutive(2)
	for range 3 {
		permit, refusal := b.Acquire()
		if refusal != nil {
			fmt.Println("refused; the last error:", refusal.Last)
			return
		}

		permit.Fail(errDown) // the outcome of the call
	}
	// Output: refused; the last error: connection refused
}
