package cafile_test

import (
	"fmt"

	"github.com/gal-friday/marketdata/adapters/cafile"
)

// Without a file, the certificates of the system are trusted.
func ExampleLoad() {
	fmt.Println(cafile.Load(""))
	// Output: <nil> <nil>
}
