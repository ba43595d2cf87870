package neterror_test

import (
	"fmt"
	"net"
	"syscall"

	"github.com/gal-friday/marketdata/adapters/neterror"
)

func ExampleReason() {
	err := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

	fmt.Println(err)
	fmt.Println(neterror.Reason(err))
	// Output:
	// dial tcp: connection refused
	// connection refused
}
